from __future__ import annotations

from pathlib import Path

import pytest
from diagnose_lab import ScenarioError, load, names, scenarios
from diagnose_lab.listing import rows
from diagnose_lab.scenario import parse

HEAD = 'title = "t"\ntransport = "streamable-http"\nera = "modern"\n'


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        (
            "[server]\nprofil = 'modern'",
            "s.toml: server.profil is unknown; allowed there: allowed_hosts, answers",
        ),
        ("[[rule]]\nstatu = 500", "s.toml: rule.0.statu is unknown; allowed there: as, batch"),
        ("[[rule]]\nwhen = {methd = 'x'}", "s.toml: rule.0.when.methd is unknown"),
        ("[tls]\nchain = 'stale'", "s.toml: tls.chain must be one of valid, intermediate"),
        ("[run]\nstep_timeout = '2'", "s.toml: run.step_timeout must be a number, not '2'"),
        ("[[rule]]\nwhen = {nth = true}", "s.toml: rule.0.when.nth must be a whole number or a list"),
        ("[expect]\nstep = 'tls'", "s.toml: expect must name both step and code, or neither"),
        (
            "[[rule]]\nbody = 'x'\npatch = {a = 1}",
            "s.toml: rule.0 holds the whole answer (body), so that there is no correct one to change (patch)",
        ),
        ("[server]\nprofile = 'sdk-dual'\n[[rule]]\nstatus = 500", "takes neither rules nor auth"),
        ("[dns.names.a]\nadresses = []", "s.toml: dns.names.a.adresses is unknown"),
        (
            "[run.connector]\nurll = 'x'",
            "s.toml: run.connector.urll is unknown; allowed there: credential, era, headers, name",
        ),
        ("[run.connector]\ncredential = 'x'", "s.toml: run.connector.credential must be a table, not 'x'"),
        (
            "[authorization_server]\nclients = [{id = 'a', secrets = 'x'}]",
            "s.toml: authorization_server.clients.0.secrets is unknown; allowed there: id, methods",
        ),
        (
            "[authorization_server]\nclients = [1]",
            "s.toml: authorization_server.clients.0 must be a client id or a table, not 1",
        ),
        ("[run.store]", "s.toml: run.store.record is missing; it must be a table"),
        ("nonsense", "s.toml: not valid TOML"),
    ],
)
def test_a_mistake_in_a_scenario_is_refused_with_file_key_and_what_is_allowed(
    toml: str, sentence: str
) -> None:
    with pytest.raises(ScenarioError) as refusal:
        parse(HEAD + toml, name="s")
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_scenario_without_a_title_is_refused() -> None:
    with pytest.raises(ScenarioError, match="title is missing; it must be a string"):
        parse('transport = "sse"\nera = "legacy"', name="s")


def test_an_unknown_name_is_refused_in_one_sentence() -> None:
    with pytest.raises(ScenarioError, match="no-such-thing: there is no such scenario"):
        load("no-such-thing")


def test_a_scenario_can_be_loaded_from_a_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(HEAD)
    assert load(path).name == "mine"


def test_every_packaged_scenario_loads_and_is_listed() -> None:
    assert list(names()) == [scenario.name for scenario in scenarios()] == [row["name"] for row in rows()]


def test_a_row_of_a_healthy_scenario_has_no_step_and_no_code() -> None:
    row = next(row for row in rows() if row["name"] == "healthy-modern")
    assert row == {
        "name": "healthy-modern",
        "title": "A healthy 2026-07-28 server that answers with JSON",
        "transport": "streamable-http",
        "era": "modern",
        "step": None,
        "code": None,
    }


def test_the_packaged_healthy_scenarios_are_healthy_by_name() -> None:
    assert [scenario.name for scenario in scenarios() if scenario.name.startswith("healthy-")] == [
        scenario.name for scenario in scenarios() if scenario.healthy
    ]
