"""Cookies: kept as production's HTTP client keeps them, for the origin that set them and for no other."""

from __future__ import annotations

from diagnose_lab import Lab
from diagnose_lab.scenario import parse

from diagnose import Connector, NetworkSettings, Report, diagnose_sync

CANARY = "canary-4c11b7f2"
HEAD = f"""
title = "t"
transport = "streamable-http"
era = "legacy"

[[rule]]
when = {{method = "initialize"}}
headers = {{set-cookie = "replica={CANARY}; Path=/"}}
"""


def diagnosed(url: str) -> Report:
    return diagnose_sync(
        Connector(url=url, era="legacy", network=NetworkSettings(trust_env=False)), environ={}
    )


def test_a_cookie_comes_back_on_every_later_request(lab: Lab) -> None:
    with lab.start(parse(HEAD, name="cookies")) as running:
        report = diagnosed(running.url)
        sent = [record.header("cookie") for record in running.log]
    assert [None, *[f"replica={CANARY}"] * (len(sent) - 1)] == sent
    assert "passed" == report.verdict.status


def test_a_cookie_is_not_in_the_report(lab: Lab) -> None:
    with lab.start(parse(HEAD, name="cookies")) as running:
        assert CANARY not in diagnosed(running.url).to_json()


def test_another_port_of_the_same_host_does_not_get_the_cookie(lab: Lab) -> None:
    moved = '[other]\n[[rule]]\nwhen = {method = "tools/list"}\nredirect = "{other}/mcp"\n'
    with lab.start(parse(HEAD + moved, name="cookies")) as running:
        diagnosed(running.url)
        assert [] == [
            record.path
            for record in running.log
            if record.server == "other" and CANARY in str(record.headers)
        ]
