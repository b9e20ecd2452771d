"""Protected servers and authorization servers that nobody here wrote, each in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest
from integration.authorization_flow import Refused, Tokens, by_client_credentials, logged_in
from integration.protected_servers import (
    CASES,
    MACHINE,
    SCOPE,
    Case,
    Deployment,
    Site,
    deployment,
    typescript_behind_oidc_provider,
)

from diagnose import BearerCredential, Connector, OAuth2Credential, Options, Report, Secret, diagnose_sync
from diagnose.connector import NoCredential

pytestmark = pytest.mark.integration

RUNTIME = ("typescript-sdk-1-behind-oidc-provider", "python-sdk-2")


@pytest.fixture(scope="module")
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(request, stack)


def each(wanted: Callable[[Case], object] = bool) -> pytest.MarkDecorator:
    """A test for every deployment that is ``wanted``."""
    return pytest.mark.parametrize("case", [case for case in CASES if wanted(case)], ids=lambda case: case.id)


def diagnosed(
    there: Deployment | str,
    credential: BearerCredential | OAuth2Credential | None = None,
    options: Options | None = None,
) -> Report:
    url = there if isinstance(there, str) else there.url
    connector = Connector(url=url, credential=credential or NoCredential())
    return diagnose_sync(connector, options=options, environ={})


def found(report: Report, *severities: str) -> list[tuple[str, str]]:
    return [
        (step.id, finding.code)
        for step in report.steps
        for finding in step.findings
        if not severities or finding.severity in severities
    ]


def bearer(tokens: Tokens) -> BearerCredential:
    return BearerCredential(token=Secret.literal(tokens.access_token))


def oauth2(tokens: Tokens) -> OAuth2Credential:
    return OAuth2Credential(
        access_token=Secret.literal(tokens.access_token),
        refresh_token=Secret.literal(tokens.refresh_token) if tokens.refresh_token else None,
        expires_at=datetime.now(UTC) + timedelta(seconds=tokens.expires_in),
        issuer=tokens.issuer,
        client_id=tokens.client_id,
    )


def client_of(case: Case, name: str = "native") -> str | None:
    return name if case.known_clients else None


@each()
def test_without_a_credential_the_way_to_a_token_is_found_to_be_sound(case: Case, site: Site) -> None:
    report = diagnosed(case.start(site))
    assert [("token_validity", "TOK001")] == found(report, "error", "warning")
    assert ["passed"] * 3 == [report.step(step).status for step in ("dns", "tcp", "http_reachability")]
    assert "passed" == report.step("auth_discovery").status


@each()
def test_without_a_credential_only_the_opening_is_no_get_and_nothing_carries_a_credential(
    case: Case, site: Site
) -> None:
    there = case.start(site)
    there.requests()
    diagnosed(there)
    seen = there.requests()
    assert [("POST", "/mcp", "no")] == [request for request in seen if request[0] != "GET"]
    assert {"no"} == {carried for _, _, carried in seen}
    assert all("/.well-known/" in target for method, target, _ in seen if method == "GET"), seen


@each()
def test_a_good_token_opens_every_door_without_a_finding(case: Case, site: Site) -> None:
    there = case.start(site)
    tokens = logged_in(there.url, client_id=client_of(case), scope=SCOPE)
    report = diagnosed(there, bearer(tokens))
    assert [] == found(report)
    assert {"passed", "not_applicable"} == {step.status for step in report.steps}
    assert tokens.access_token not in report.model_dump_json()


@each()
def test_a_refresh_token_is_neither_spent_nor_shown_nor_sent_to_the_server(case: Case, site: Site) -> None:
    there = case.start(site)
    tokens = logged_in(there.url, client_id=client_of(case), scope=SCOPE)
    assert tokens.refresh_token is not None
    there.requests()
    report = diagnosed(there, oauth2(tokens))
    assert [] == found(report)
    assert {"/mcp"} == {target for method, target, _ in there.requests() if method != "GET"}
    assert tokens.refresh_token not in report.model_dump_json()


@each(lambda case: case.id in RUNTIME)
def test_the_official_client_agrees_with_the_wire_about_a_good_token(case: Case, site: Site) -> None:
    there = case.start(site)
    tokens = logged_in(there.url, client_id=client_of(case), scope=SCOPE)
    report = diagnosed(there, bearer(tokens), Options(runtime=True))
    assert [] == found(report)
    assert "listed 1 tools" == report.step("list_tools").facts["runtime"]


@each()
def test_a_client_that_registers_itself_gets_a_token_that_works(case: Case, site: Site) -> None:
    tokens = logged_in(case.start(site).url, client_id=None, scope=SCOPE)
    assert [] == found(diagnosed(case.start(site), bearer(tokens)))


@each()
def test_a_client_of_register_is_never_asked_for_a_secret(case: Case, site: Site) -> None:
    report = diagnosed(case.start(site), options=Options(deep=True, register=True))
    probes = report.step("auth_discovery").facts["probes"]
    registered = [probe for probe in probes if "registered: HTTP 201" in probe["outcome"]]
    assert registered, probes
    assert [] == [probe for probe in probes if "secret" in probe["outcome"].lower()], probes
    assert [("token_validity", "TOK001")] == found(report, "error", "warning"), probes


@each(lambda case: case.machines)
def test_a_token_of_a_machine_opens_every_door_without_a_finding(case: Case, site: Site) -> None:
    there = case.start(site)
    name, secret = MACHINE
    tokens = by_client_credentials(there.url, client_id=name, client_secret=secret, scope=SCOPE)
    assert [] == found(diagnosed(there, bearer(tokens)))


@each(lambda case: case.expired)
def test_an_expired_bearer_token_is_named_as_far_as_it_shows_its_end(case: Case, site: Site) -> None:
    there = case.start(site)
    tokens = logged_in(there.url, client_id="lapsing", scope=SCOPE)
    report = diagnosed(there, bearer(tokens))
    assert [("token_validity", case.expired)] == found(report, "error", "warning")


@each(lambda case: case.expired)
def test_an_expired_token_with_a_refresh_token_is_one_that_nobody_refreshed(case: Case, site: Site) -> None:
    there = case.start(site)
    tokens = logged_in(there.url, client_id="lapsing", scope=SCOPE)
    credential = oauth2(tokens).model_copy(update={"expires_at": datetime.now(UTC) - timedelta(hours=1)})
    report = diagnosed(there, credential)
    assert [("token_validity", "TOK005")] == found(report, "error", "warning")
    bare = credential.model_copy(update={"refresh_token": None})
    assert [("token_validity", "TOK004")] == found(diagnosed(there, bare), "error", "warning")


@each()
def test_a_token_without_the_scope_is_told_apart_from_a_bad_token(case: Case, site: Site) -> None:
    there = case.start(site)
    tokens = logged_in(there.url, client_id=client_of(case), scope="mcp:write")
    report = diagnosed(there, bearer(tokens))
    assert report.verdict.code in case.unscoped
    assert [("token_validity", report.verdict.code)] == found(report, "error", "warning")


@each(lambda case: case.elsewhere)
def test_a_token_of_another_resource_is_named_where_it_says_so(case: Case, site: Site) -> None:
    there = case.start(site)
    other = there.url.removesuffix("/mcp") + "/other"
    tokens = logged_in(there.url, client_id="native", scope=SCOPE, resource=other)
    report = diagnosed(there, bearer(tokens))
    assert [("token_validity", case.elsewhere)] == found(report, "error", "warning")


def test_an_issuer_that_the_framework_ends_with_a_slash_is_named(site: Site) -> None:
    # pydantic's AnyHttpUrl turns http://host into http://host/, and RFC 8414 compares byte by byte.
    provider = site.oidc_provider()
    report = diagnosed(deployment(provider, site.fastmcp("remote", provider.said)))
    assert [("auth_discovery", "AUTH012")] == found(report, "error", "warning")
    evidence = report.step("auth_discovery").findings[0].evidence[0]
    assert (f"{provider.said}/", provider.said) == (evidence.expected, evidence.observed)


def test_a_list_of_identity_scopes_alone_does_not_say_that_those_of_the_resource_are_unknown(
    site: Site,
) -> None:
    # The default of oidc-provider: a client that is known gets the scope, one that registers may not name it.
    provider = site.oidc_provider("", "unlisted")
    there = deployment(provider, site.node("typescript_sdk_1_auth.mjs", provider.said))
    assert [("token_validity", "TOK001")] == found(diagnosed(there), "error", "warning")
    tokens = logged_in(there.url, client_id="native", scope=SCOPE)
    assert [] == found(diagnosed(there, bearer(tokens)))
    with pytest.raises(Refused, match="Authorization Server supported scope values"):
        logged_in(there.url, client_id=None, scope=SCOPE)


def test_a_reason_with_quotes_that_the_sdk_does_not_escape_does_not_hide_the_expiry(site: Site) -> None:
    # error_description=""exp" claim timestamp check failed": the challenge is broken, the verdict is not.
    there = typescript_behind_oidc_provider(site, "verbatim")
    tokens = logged_in(there.url, client_id="lapsing", scope=SCOPE)
    report = diagnosed(there, bearer(tokens))
    assert "TOK003" == report.verdict.code


def test_the_example_of_the_typescript_sdk_is_sound_from_the_challenge_to_the_token(site: Site) -> None:
    url = site.typescript_example()
    assert [("token_validity", "TOK001")] == found(diagnosed(url), "error", "warning")
    tokens = logged_in(url, client_id=None, scope="mcp:tools")
    assert [] == found(diagnosed(url, bearer(tokens)))


def test_the_same_server_under_another_name_is_not_the_resource_that_its_metadata_names(site: Site) -> None:
    report = diagnosed(site.typescript_example().replace("localhost", "127.0.0.1"))
    assert [("auth_discovery", "AUTH007")] == found(report, "error", "warning")
