"""``--credentials-from``: another program's login, for this run alone."""

from __future__ import annotations

import hashlib
import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from diagnose_lab import Lab
from scenario_runs import environment

from diagnose.cli import main


def run(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(list(arguments))
    return code, out.getvalue(), err.getvalue()


def keep(folder: Path, url: str, **tokens: object) -> Path:
    key = hashlib.md5(url.encode(), usedforsecurity=False).hexdigest()
    home = folder / "mcp-remote-v1"
    home.mkdir()
    path = home / f"{key}_tokens.json"
    path.write_text(json.dumps({"token_type": "Bearer", **tokens}), encoding="utf-8")
    return path


def test_a_borrowed_login_opens_the_door(lab: Lab, tmp_path: Path) -> None:
    running = lab.start("healthy-oauth")
    try:
        path = keep(tmp_path, running.url, access_token=running.places["token"])
        with environment({"MCP_REMOTE_CONFIG_DIR": str(tmp_path)}):
            code, out, err = run("run", running.url, "--json", "--credentials-from", "mcp-remote")
        report = json.loads(out)
        assert (0, "passed") == (code, report["verdict"]["status"])
        credential = report["steps"][5]["facts"]["credential"]
        assert f"the store of mcp-remote, {path}" == credential["source"]
        assert running.places["token"] not in out + err
    finally:
        running.stop()


def test_a_borrowed_refresh_token_is_never_spent(lab: Lab, tmp_path: Path) -> None:
    running = lab.start("token-expired")
    try:
        before = keep(
            tmp_path,
            running.url,
            access_token=running.places["token"],
            refresh_token="canary-refresh-91c3",
            expires_at=1,
        )
        written = before.read_bytes()
        with environment({"MCP_REMOTE_CONFIG_DIR": str(tmp_path)}):
            code, out, err = run("run", running.url, "--json", "--credentials-from", "mcp-remote")
        report = json.loads(out)
        assert (1, "token_validity") == (code, report["verdict"]["failed_step"]["id"])
        assert {"GET"} == {seen.method for seen in running.log if seen.server == "as"}
        assert "canary-refresh-91c3" not in out + err
        assert written == before.read_bytes()
    finally:
        running.stop()


def test_two_credentials_are_one_too_many(tmp_path: Path) -> None:
    with environment({"TOKEN": "t", "MCP_REMOTE_CONFIG_DIR": str(tmp_path)}):
        arguments = ("https://mcp.example.com/mcp", "--bearer-env", "TOKEN")
        code, out, err = run("run", *arguments, "--credentials-from", "mcp-remote")
    assert (2, "") == (code, out)
    assert "give one of them" in err


def test_a_store_without_the_login_is_said_in_one_sentence(tmp_path: Path) -> None:
    with environment({"MCP_REMOTE_CONFIG_DIR": str(tmp_path)}):
        code, out, err = run("run", "https://mcp.example.com/mcp", "--credentials-from", "mcp-remote")
    assert (2, "", 1) == (code, out, len(err.strip().splitlines()))
    assert "CFG031" in err
