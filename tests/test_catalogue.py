"""Codes, pages, scenarios and raising sites: each has the others, in both directions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from diagnose_checks import STEPS
from diagnose_checks.stdio_steps import STDIO_STEPS
from diagnose_lab import scenarios

from diagnose.catalogue import HEADINGS, Page, codes, page
from diagnose.step import TITLES

PREFIX_STEPS = {
    "DNS": "dns",
    "TCP": "tcp",
    "TLS": "tls",
    "HTTP": "http_reachability",
    "AUTH": "auth_discovery",
    "TOK": "token_validity",
    "INIT": "mcp_initialize",
    "SESS": "session_open",
    "TOOL": "list_tools",
    "CALL": "sample_call",
    "DOWN": "teardown",
}
CODE = re.compile(r"^(CFG|DNS|TCP|TLS|HTTP|AUTH|TOK|INIT|SESS|TOOL|CALL|DOWN|STDIO|ENV|BUG)[0-9]{3}$")
# A batch file of Windows, a file of an application, a limit of the system: no scenario can bring them about,
# tests/checks/test_stdio.py does.
OF_THIS_MACHINE = ("STDIO003", "STDIO007", "STDIO009")
# Provoked by the command line's own tests and by a check made to fail, not by a server.
WITHOUT_SCENARIO = ("CFG", "BUG", *OF_THIS_MACHINE)
SOURCES = ("diagnose", "diagnose_checks")


def modules() -> Iterator[Path]:
    for package in SOURCES:
        spec = find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        yield from Path(spec.origin).parent.rglob("*.py")


def strings() -> set[str]:
    """Every string constant in the sources: a code that is none of them can never be raised."""
    found: set[str] = set()
    for module in modules():
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


@pytest.mark.parametrize("code", codes())
def test_a_page_has_the_fixed_form(code: str) -> None:
    entry = page(code)
    assert code == entry.code
    assert CODE.match(code)
    assert entry.severity in ("error", "warning", "info")
    assert entry.side in ("local", "network", "remote", "credential")
    assert entry.actor in (
        "user",
        "server_operator",
        "server_author",
        "idp_admin",
        "network_admin",
        "client_vendor",
    )
    assert entry.confidence in ("certain", "likely", "possible")
    assert list(HEADINGS) == re.findall(r"^## (.+)$", entry.body, re.MULTILINE)
    for heading in HEADINGS:
        assert entry.section(heading), f"{code}: nothing under {heading}"
    assert entry.rule
    assert not re.search(r"(?<!\$)\{[a-z_]+\}", entry.rule + entry.spec), "the rule is printed as it stands"
    assert re.match(r"[a-z0-9-]+\.[a-z0-9-]+$", entry.name), entry.name


@pytest.mark.parametrize("code", codes())
def test_a_page_belongs_to_a_step(code: str) -> None:
    prefix = code.rstrip("0123456789")
    entry = page(code)
    if prefix in PREFIX_STEPS:
        assert PREFIX_STEPS[prefix] == entry.step
    elif prefix == "STDIO":
        assert entry.step in TITLES
    elif prefix != "CFG" and entry.step:
        assert entry.step in TITLES or entry.step == "any"


def test_names_are_used_once() -> None:
    names = [page(code).name for code in codes()]
    assert sorted(set(names)) == sorted(names)


def test_every_code_in_the_sources_has_a_page() -> None:
    raised = {text for text in strings() if CODE.match(text)}
    assert set() == raised - set(codes())


def test_every_page_has_a_raising_site() -> None:
    raised = {text for text in strings() if CODE.match(text)}
    retired = {code for code in codes() if page(code).status == "retired"}
    assert set() == set(codes()) - raised - retired


def test_look_alikes_exist() -> None:
    unknown = {other for code in codes() for other in page(code).look_alikes} - set(codes())
    assert set() == unknown


def active() -> list[Page]:
    return [page(code) for code in codes() if page(code).status == "active"]


def test_every_code_is_provoked_by_a_scenario() -> None:
    provoked = {made.expect.code for made in scenarios() if made.expect and made.expect.code}
    provoked |= {code for made in scenarios() if made.expect for code in made.expect.also}
    needed = {
        entry.code
        for entry in active()
        if not entry.code.startswith(WITHOUT_SCENARIO) and entry.severity != "info"
    }
    assert set() == needed - provoked


def test_pages_and_scenarios_name_each_other() -> None:
    expected: dict[str, set[str]] = {}
    for made in scenarios():
        if made.expect and made.expect.code:
            expected.setdefault(made.expect.code, set()).add(made.name)
    listed = {code: set(page(code).scenarios) for code in codes()}
    missing = {
        code: sorted(names - listed.get(code, set()))
        for code, names in expected.items()
        if names - listed.get(code, set())
    }
    known = {made.name for made in scenarios()}
    unknown = sorted(name for listed_names in listed.values() for name in listed_names if name not in known)
    assert {} == missing
    assert [] == unknown


def test_a_scenario_expects_a_code_of_its_own_step() -> None:
    wrong = [
        made.name
        for made in scenarios()
        if made.expect
        and made.expect.code
        and not made.expect.code.startswith("ENV")
        and page(made.expect.code).step != made.expect.step
    ]
    assert [] == wrong


def test_every_step_raises_only_its_own_prefixes() -> None:
    for step in (*STEPS, *STDIO_STEPS):
        timeout = step.on_timeout if isinstance(step.on_timeout, str) else None
        assert timeout is None or timeout.startswith(step.codes)


def test_there_are_enough_scenarios() -> None:
    broken = [made for made in scenarios() if made.expect and made.expect.code]
    healthy = [made for made in scenarios() if not (made.expect and made.expect.code)]
    assert len(broken) >= 90
    assert len(healthy) >= 10
    per_step = {
        step_id: sum(made.expect.step == step_id for made in broken if made.expect) for step_id in TITLES
    }
    assert {} == {step_id: count for step_id, count in per_step.items() if count < 4}


@pytest.mark.parametrize(
    "step_id", ["mcp_initialize", "session_open", "list_tools", "sample_call", "teardown"]
)
def test_the_mcp_steps_are_broken_in_both_eras(step_id: str) -> None:
    eras = {made.era for made in scenarios() if made.expect and made.expect.step == step_id}
    assert {"legacy", "modern"} <= eras
