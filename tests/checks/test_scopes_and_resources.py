"""Scopes and resources that documents name, and documents that a proxy holds back."""

from __future__ import annotations

import pytest
from diagnose_checks.challenge import parse_challenges
from diagnose_checks.discovery_urls import resource_metadata_urls
from diagnose_checks.metadata_fetch import Document
from diagnose_checks.resource_metadata import judge_resource
from diagnose_checks.scope_lists import judge_scopes
from diagnose_lab import Lab
from scenario_runs import run

AS = "https://as.example.com"
RIGHT = {"issuer": AS, "authorization_endpoint": f"{AS}/authorize", "token_endpoint": f"{AS}/token"}


def document(**members: object) -> Document:
    return Document(url=f"{AS}/.well-known/x", outcome="found", detail="", value={**RIGHT, **members})


# --- Scopes and resources


@pytest.mark.parametrize(
    ("scope", "codes"),
    [
        ("mcp.read", ["AUTH026"]),
        ("user_impersonation", ["AUTH026"]),
        ("api://3f9c/mcp.read", []),
        ("https://mcp.example.com/mcp.read", []),
        ("Mail.Read", []),
        ("openid profile offline", []),
    ],
)
def test_a_scope_of_an_entra_api_has_its_prefix(scope: str, codes: list[str]) -> None:
    entra = document(
        issuer="https://login.microsoftonline.com/8f1c/v2.0", scopes_supported=["openid", "offline_access"]
    )
    found = judge_scopes(parse_challenges([f'Bearer scope="{scope}"']), None, entra)
    assert codes == [finding.code for finding in found]


def test_a_bare_scope_is_right_everywhere_else() -> None:
    challenges = parse_challenges(['Bearer scope="mcp.read"'])
    assert [] == judge_scopes(challenges, None, document(scopes_supported=["mcp.read"]))


def test_a_list_of_scopes_about_people_says_nothing_about_an_api() -> None:
    challenges = parse_challenges(['Bearer scope="mcp.read"'])
    assert [] == judge_scopes(challenges, None, document(scopes_supported=["openid", "profile", "email"]))
    known = document(scopes_supported=["openid", "mcp.write"])
    assert ["AUTH017"] == [finding.code for finding in judge_scopes(challenges, None, known)]


@pytest.mark.parametrize(
    ("endpoint", "resource", "codes"),
    [
        ("https://h.example/mcp?p=1", "https://h.example/mcp?p=1", []),
        ("https://h.example/mcp?p=1", "https://h.example/mcp", ["AUTH008"]),
        ("https://h.example/mcp", "https://h.example/mcp?p=1", ["AUTH007"]),
        ("https://h.example/mcp?p=1", "https://h.example/mcp?p=2", ["AUTH007"]),
        ("https://h.example/mcp", "https://H.EXAMPLE:443/mcp", []),
    ],
)
def test_a_query_is_part_of_the_resource(endpoint: str, resource: str, codes: list[str]) -> None:
    about = Document(
        url="https://h.example/x",
        outcome="found",
        detail="",
        value={"resource": resource, "authorization_servers": [AS]},
    )
    assert codes == [finding.code for finding in judge_resource(about, endpoint)]


def test_the_document_of_an_endpoint_with_a_query_is_asked_for_with_it_first() -> None:
    root = "https://h.example/.well-known/oauth-protected-resource"
    assert (f"{root}/mcp?p=1", f"{root}/mcp", root) == resource_metadata_urls(
        "https://h.example/mcp?p=1", None
    )
    assert (f"{root}?p=1", root) == resource_metadata_urls("https://h.example/?p=1", None)


# --- Routes


def test_what_the_proxy_refuses_is_said_to_be_the_proxys(lab: Lab) -> None:
    steps = {step["id"]: step for step in run(lab, "auth-server-proxy-refuses").report["steps"]}
    facts = steps["auth_discovery"]["facts"]
    refused = [one["detail"] for one in facts["candidates"] if one["outcome"] == "unreachable"]
    assert refused
    assert [] == [one for one in refused if "the proxy refuses the connection: 403" not in one]
