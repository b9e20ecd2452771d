"""Auth discovery: where a client looks, what it compares, and what it must never fetch."""

from __future__ import annotations

import pytest
from diagnose_checks.challenge import parse_challenges
from diagnose_checks.difference import difference
from diagnose_checks.discovery_urls import canonical, resource_metadata_urls, server_metadata_urls
from diagnose_checks.metadata_fetch import Document
from diagnose_checks.registration import judge_registration, registration_routes
from diagnose_checks.resource_metadata import judge_resource
from diagnose_checks.scope_lists import judge_scopes
from diagnose_checks.server_metadata import judge_server
from diagnose_lab import Lab, load, names
from hypothesis import given, settings
from hypothesis import strategies as st
from scenario_runs import run

from diagnose import Connector
from diagnose.connector.address import origin_of
from diagnose.wire.reach import reach_of

PATHS = st.lists(st.text("abcXYZ0-_~", min_size=1, max_size=6), max_size=4).map(
    lambda parts: "/".join(["", *parts])
)
BASES = st.sampled_from(("https://as.example.com", "https://as.example.com:8443", "http://127.0.0.1:9000"))


@settings(deadline=None)  # the first call imports the SDK
@given(BASES, PATHS, st.sampled_from(("", "/")), st.sampled_from((None, "https://meta.example/x")))
def test_the_resource_is_looked_for_where_the_official_sdk_looks(
    base: str, path: str, slash: str, named: str | None
) -> None:
    from mcp.client.auth.utils import build_protected_resource_metadata_discovery_urls

    url = base + path + slash
    expected = build_protected_resource_metadata_discovery_urls(named, url)
    assert expected == list(resource_metadata_urls(url, named))


@settings(deadline=None)
@given(BASES, PATHS, st.sampled_from(("", "/")))
def test_the_authorization_server_is_looked_for_where_the_official_sdk_looks(
    base: str, path: str, slash: str
) -> None:
    from mcp.client.auth.utils import build_oauth_authorization_server_metadata_discovery_urls

    issuer = base + path + slash
    expected = build_oauth_authorization_server_metadata_discovery_urls(issuer, "https://mcp.example.com/mcp")
    assert expected == list(server_metadata_urls(issuer))


def test_an_issuer_whose_path_begins_with_two_slashes_stays_on_its_host() -> None:
    urls = server_metadata_urls("https://as.example.com//evil.example")
    assert {"as.example.com"} == {origin_of(url).host for url in urls}


@pytest.mark.parametrize(
    ("endpoint", "resource", "codes"),
    [
        ("https://h.example/mcp", "https://h.example/mcp", []),
        ("https://H.example:443/mcp", "https://h.example/mcp", []),
        ("https://h.example/", "https://h.example", []),
        ("https://h.example/mcp", "https://h.example/mcp/", ["AUTH007"]),
        ("https://h.example/mcp/", "https://h.example/mcp", ["AUTH007"]),
        ("https://h.example/mcp", "https://h.example/MCP", ["AUTH007"]),
        ("https://h.example/mcp", "http://h.example/mcp", ["AUTH007"]),
        ("https://h.example/mcp2", "https://h.example/mcp", ["AUTH007"]),
        ("https://h.example/a/mcp", "https://h.example/a", ["AUTH008"]),
        ("https://h.example/a/mcp", "https://h.example/a/", ["AUTH008"]),
        ("https://h.example/mcp", "https://h.example", ["AUTH008"]),
        ("https://h.example/mcp", "https://other.example", ["AUTH007"]),
        ("https://h.example/mcp", "https://[broken", ["AUTH007"]),
        ("https://h.example/mcp", "", ["AUTH006"]),
        ("https://h.example/mcp", 5, ["AUTH006"]),
    ],
)
def test_the_resource_is_compared_byte_for_byte(endpoint: str, resource: object, codes: list[str]) -> None:
    value = {"resource": resource, "authorization_servers": ["https://as.example"]}
    document = Document(url="https://h.example/x", outcome="found", detail="", value=value)
    assert codes == [finding.code for finding in judge_resource(document, endpoint)]


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_difference_is_found_where_there_is_one(expected: str, observed: str) -> None:
    apart = difference(expected, observed)
    assert (apart is None) == (expected == observed)
    if apart is not None:
        assert expected[: apart.at] == observed[: apart.at]


def test_a_slash_alone_is_called_a_slash() -> None:
    apart = difference("https://as.example", "https://as.example/")
    assert apart is not None
    assert apart.slash_only
    assert "only a trailing slash differs" == apart.words


@given(st.text(max_size=60))
def test_canonical_takes_any_text(text: str) -> None:
    canonical(text)


MINE = [name for name in names() if name.startswith("auth-")]
UNASKED = [name for name in MINE if not {"--deep", "--register"} & set(load(name).run.args)]


@pytest.mark.parametrize("name", MINE)
def test_a_scenario_shows_all_and_only_what_it_says(lab: Lab, name: str) -> None:
    expect = load(name).expect
    assert expect is not None
    outcome = run(lab, name)
    found = {code for _, code in outcome.findings("error", "warning")}
    assert {expect.code, *expect.also} == found


@pytest.mark.parametrize("name", UNASKED)
def test_discovery_sends_get_requests_without_a_credential_only(lab: Lab, name: str) -> None:
    outcome = run(lab, name)
    requests = [
        exchange["request"]
        for exchange in outcome.report["exchanges"]
        if exchange["step"] == "auth_discovery"
    ]
    assert requests
    for request in requests:
        assert "GET" == request["method"]
        sent = {header.lower() for header, _ in request["headers"]}
        assert not sent & {"authorization", "cookie", "x-api-key"}


@pytest.mark.parametrize("name", [name for name in MINE if name.startswith("auth-unsafe-")])
def test_a_refused_url_is_shown_and_not_fetched(lab: Lab, name: str) -> None:
    outcome = run(lab, name)
    step = next(step for step in outcome.report["steps"] if step["id"] == "auth_discovery")
    refused = [item["url"] for item in step["facts"]["candidates"] if item["outcome"] == "refused"]
    asked = [exchange["request"]["url"] for exchange in outcome.report["exchanges"]]
    assert refused
    assert not [url for url in refused if url in asked and "redirect" not in name]
    assert not [url for url in asked if "169.254" in url or "10.0.0.5" in url or "/etc/" in url]


def test_the_status_of_every_candidate_is_kept(lab: Lab) -> None:
    outcome = run(lab, "auth-as-metadata-missing")
    step = next(step for step in outcome.report["steps"] if step["id"] == "auth_discovery")
    shown = [(item["for"], item["status"]) for item in step["facts"]["candidates"]]
    assert [("resource", 200), ("authorization server", 404), ("authorization server", 404)] == shown


def test_without_a_credential_a_healthy_server_is_asked_for_no_metadata(lab: Lab) -> None:
    outcome = run(lab, "healthy-modern")
    assert [] == [record.path for record in outcome.requests if ".well-known" in record.path]


def test_a_healthy_run_with_a_token_uses_one_connection(lab: Lab) -> None:
    assert 1 == run(lab, "healthy-oauth").connections


def test_notes_are_notes(lab: Lab) -> None:
    assert ("auth_discovery", "AUTH019") in run(lab, "auth-scope-not-requested").findings("info")
    assert ("auth_discovery", "AUTH020") in run(lab, "auth-dcr-only").findings("info")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.sampled_from(("https://[", "https://a.b")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = st.sampled_from(
    (
        *("resource", "authorization_servers", "scopes_supported", "issuer", "authorization_endpoint"),
        *("token_endpoint", "registration_endpoint", "code_challenge_methods_supported"),
        *("grant_types_supported", "client_id_metadata_document_supported"),
    )
)


@given(st.dictionaries(MEMBERS, JSON), st.dictionaries(MEMBERS, JSON), st.text(max_size=60))
def test_no_document_makes_a_judgement_raise(
    resource: dict[str, object], server: dict[str, object], challenge: str
) -> None:
    about = Document(url="https://h.example/x", outcome="found", detail="", value=resource)
    issuing = Document(url="https://as.example/x", outcome="found", detail="", value=server)
    connector = Connector(url="https://h.example/mcp")
    judge_resource(about, connector.url)
    judge_server(issuing, "https://as.example", connector.origin, reach_of(connector.origin, None))
    judge_registration(issuing, registration_routes(connector, server))
    judge_scopes(parse_challenges([challenge]), about, issuing)
