"""A connector of a client's file is diagnosed and opened as it is, against a real server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from diagnose_lab import Lab

from diagnose.cli import main
from diagnose.connector import load


def files(url: str, token: str) -> dict[str, str]:
    """The same server in the words of four clients."""
    header = {"Authorization": f"Bearer {token}"}
    return {
        ".cursor/mcp.json": json.dumps({"mcpServers": {"lab": {"url": url, "headers": header}}}),
        ".mcp.json": json.dumps({"mcpServers": {"lab": {"type": "http", "url": url, "headers": header}}}),
        ".codex/config.toml": f'[mcp_servers.lab]\nurl = "{url}"\n'
        f'http_headers = {{ Authorization = "Bearer {token}" }}\n',
        "librechat.yaml": f"mcpServers:\n  lab:\n    url: {url}\n"
        f"    headers:\n      Authorization: Bearer {token}\n",
    }


@pytest.mark.parametrize("file", sorted(files("", "")))
def test_a_run_on_a_name_of_a_clients_file_passes_and_prints_no_secret(
    file: str, lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token = "canaryX9f2b7c1d4e5a8b3c6d7e0"
    with lab.start("healthy-modern") as running:
        path = tmp_path / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(files(running.url, token)[file], encoding="utf-8")
        code = main(["run", "lab", "--config", str(path), "--json", *running.args])
        sent = {record.header("authorization") for record in running.log}
    printed = "".join(capsys.readouterr())

    assert 0 == code, printed
    assert f"Bearer {token}" in sent
    assert token not in printed


@pytest.mark.anyio
async def test_the_same_object_opens_the_production_session(lab: Lab, tmp_path: Path) -> None:
    with lab.start("healthy-modern") as running:
        path = tmp_path / "mcp.json"
        path.write_text(json.dumps({"mcpServers": {"lab": {"url": running.url}}}), encoding="utf-8")
        (defined,) = load(path)
        assert defined.connector is not None
        async with defined.connector.connect() as client:
            listed = await client.list_tools()

    assert len(listed.tools) > 0
