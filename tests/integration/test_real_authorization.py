"""Protected servers and authorization servers that nobody here wrote, each in a process of its own."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from integration.authorization_flow import CALLBACK, Tokens, by_client_credentials, logged_in
from integration.server_processes import SOURCES, Process, started

from diagnose import BearerCredential, Connector, OAuth2Credential, Report, diagnose_sync

pytestmark = pytest.mark.integration

READY = r"listening on (http://127\.0\.0\.1:\d+)"
SCOPE = "mcp:read"
MACHINE = ("machine", "machine-secret-of-the-integration-tests")
_marks = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A protected MCP server that runs, with every process that belongs to it, its own last."""

    url: str
    processes: tuple[Process, ...]

    def requests(self) -> list[tuple[str, str, str]]:
        """(method, target, whether with Authorization) of every request since the last call, in any process."""
        seen: list[str] = []
        for process in self.processes:
            mark = f"/mark-{next(_marks)}"
            httpx2.get(process.said + mark)
            seen += process.until(f"GET {mark} ")
        lines = [line.split() for line in seen if line.startswith("request ")]
        return [(method, target, carried.partition("=")[2]) for _, method, target, carried in lines]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A deployment and what a diagnosis must say of each kind of token.

    ``expired`` is the code for a bare expired bearer token, ``elsewhere`` that for one of another resource;
    None where the authorization server issues no such token. An opaque token says nothing, so that the
    servers that answer every refusal with the same words leave no more than TOK002. ``unscoped`` are the
    codes that are true of a token without the scope: FastMCP's verifier answers it as it answers every bad
    token, but its challenge names the scope that it wants.
    """

    id: str
    start: Callable[[pytest.FixtureRequest, ExitStack], tuple[Process, ...]]
    known_clients: bool = True
    expired: str | None
    elsewhere: str | None
    unscoped: tuple[str, ...] = ("TOK008",)
    machines: bool = False


def node(request: pytest.FixtureRequest, stack: ExitStack, script: str, *args: str) -> Process:
    home: Path = request.getfixturevalue("node_servers")
    return stack.enter_context(started(["node", str(home / script), *args], READY))


def oidc_provider(request: pytest.FixtureRequest, stack: ExitStack, *args: str) -> Process:
    return node(request, stack, "oidc_provider.mjs", *args)


def typescript_behind_oidc_provider(request: pytest.FixtureRequest, stack: ExitStack) -> tuple[Process, ...]:
    provider = oidc_provider(request, stack)
    return provider, node(request, stack, "typescript_sdk_1_auth.mjs", provider.said)


def python(stack: ExitStack, script: str, *args: str, interpreter: str = sys.executable) -> Process:
    environ = {"FASTMCP_CHECK_FOR_UPDATES": "off"}
    return stack.enter_context(started([interpreter, str(SOURCES / script), *args], READY, environ))


def python_2_behind_oidc_provider(request: pytest.FixtureRequest, stack: ExitStack) -> tuple[Process, ...]:
    provider = oidc_provider(request, stack)
    return provider, python(stack, "python_sdk_2_auth.py", "verifier", provider.said)


def python_2(request: pytest.FixtureRequest, stack: ExitStack) -> tuple[Process, ...]:
    return (python(stack, "python_sdk_2_auth.py", "own", CALLBACK),)


def python_1(request: pytest.FixtureRequest, stack: ExitStack) -> tuple[Process, ...]:
    interpreter: str = request.getfixturevalue("python_sdk_1")
    return (python(stack, "python_sdk_1_auth.py", CALLBACK, interpreter=interpreter),)


def fastmcp(stack: ExitStack, *args: str) -> Process:
    if importlib.util.find_spec("fastmcp") is None:
        pytest.skip("fastmcp is not installed here: pip install -r requirements-dev.txt")
    return python(stack, "fastmcp_auth.py", *args)


def fastmcp_memory(request: pytest.FixtureRequest, stack: ExitStack) -> tuple[Process, ...]:
    return (fastmcp(stack, "memory", CALLBACK),)


def fastmcp_remote(request: pytest.FixtureRequest, stack: ExitStack) -> tuple[Process, ...]:
    # An issuer with a path, as Keycloak's realms are: found at the third of the three places.
    provider = oidc_provider(request, stack, "/realm")
    return provider, fastmcp(stack, "remote", f"{provider.said}/realm")


def fastmcp_proxy(request: pytest.FixtureRequest, stack: ExitStack) -> tuple[Process, ...]:
    provider = oidc_provider(request, stack, "/realm")
    return provider, fastmcp(stack, "proxy", f"{provider.said}/realm")


CASES = (
    Case(
        id="typescript-sdk-1-behind-oidc-provider",
        start=typescript_behind_oidc_provider,
        expired="TOK003",
        elsewhere="TOK006",
        machines=True,
    ),
    Case(
        id="python-sdk-2-behind-oidc-provider",
        start=python_2_behind_oidc_provider,
        expired="TOK003",
        elsewhere="TOK006",
        machines=True,
    ),
    Case(
        id="fastmcp-behind-oidc-provider",
        start=fastmcp_remote,
        expired="TOK003",
        elsewhere="TOK006",
        unscoped=("TOK002", "TOK008"),
        machines=True,
    ),
    Case(
        id="fastmcp-proxy",
        start=fastmcp_proxy,
        known_clients=False,
        expired=None,
        elsewhere=None,
        unscoped=("TOK002", "TOK008"),
    ),
    Case(id="fastmcp-in-memory", start=fastmcp_memory, expired="TOK002", elsewhere=None),
    Case(id="python-sdk-2", start=python_2, expired="TOK002", elsewhere="TOK002"),
    Case(id="python-sdk-1", start=python_1, expired="TOK002", elsewhere=None),
)


@contextmanager
def deployed(case: Case, request: pytest.FixtureRequest) -> Iterator[Deployment]:
    with ExitStack() as stack:
        processes = case.start(request, stack)
        yield Deployment(url=f"{processes[-1].said}/mcp", processes=processes)


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.id)
def running(request: pytest.FixtureRequest) -> Iterator[tuple[Case, Deployment]]:
    """Every deployment once, for all tests of it."""
    with deployed(request.param, request) as deployment:
        yield request.param, deployment


def diagnosed(deployment: Deployment, credential: BearerCredential | OAuth2Credential | None = None) -> Report:
    given = {} if credential is None else {"credential": credential}
    return diagnose_sync(Connector(url=deployment.url, **given), environ={})


def found(report: Report, *severities: str) -> list[tuple[str, str]]:
    return [
        (step.id, finding.code)
        for step in report.steps
        for finding in step.findings
        if not severities or finding.severity in severities
    ]


def oauth2(tokens: Tokens) -> OAuth2Credential:
    return OAuth2Credential(
        access_token=tokens.access_token,
        refresh_token=tokens.refresh_token,
        expires_at=datetime.now(UTC) + timedelta(seconds=tokens.expires_in),
        issuer=tokens.issuer,
        client_id=tokens.client_id,
    )


def client_of(case: Case, name: str = "native") -> str | None:
    return name if case.known_clients else None


def test_without_a_credential_the_way_to_a_token_is_found_to_be_sound(
    running: tuple[Case, Deployment],
) -> None:
    report = diagnosed(running[1])
    assert [("token_validity", "TOK001")] == found(report, "error", "warning")
    assert ["passed"] * 3 == [report.step(step).status for step in ("dns", "tcp", "http_reachability")]
    assert "passed" == report.step("auth_discovery").status


def test_without_a_credential_only_the_opening_is_no_get_and_nothing_carries_a_credential(
    running: tuple[Case, Deployment],
) -> None:
    _, deployment = running
    deployment.requests()
    diagnosed(deployment)
    seen = deployment.requests()
    assert [("POST", "/mcp", "no")] == [request for request in seen if request[0] != "GET"]
    assert {"no"} == {carried for _, _, carried in seen}
    assert all("/.well-known/" in target for method, target, _ in seen if method == "GET"), seen


def test_a_good_token_opens_every_door_without_a_finding(running: tuple[Case, Deployment]) -> None:
    case, deployment = running
    tokens = logged_in(deployment.url, client_id=client_of(case), scope=SCOPE)
    report = diagnosed(deployment, BearerCredential(token=tokens.access_token))
    assert [] == found(report)
    assert {"passed", "not_applicable"} == {step.status for step in report.steps}
    assert tokens.access_token not in report.model_dump_json()


def test_a_refresh_token_is_neither_spent_nor_shown_nor_sent_to_the_server(
    running: tuple[Case, Deployment],
) -> None:
    case, deployment = running
    tokens = logged_in(deployment.url, client_id=client_of(case), scope=SCOPE)
    assert tokens.refresh_token is not None
    deployment.requests()
    report = diagnosed(deployment, oauth2(tokens))
    assert [] == found(report)
    assert {"/mcp"} == {target for method, target, _ in deployment.requests() if method != "GET"}
    assert tokens.refresh_token not in report.model_dump_json()


def test_a_client_that_registers_itself_gets_a_token_that_works(running: tuple[Case, Deployment]) -> None:
    tokens = logged_in(running[1].url, client_id=None, scope=SCOPE)
    assert [] == found(diagnosed(running[1], BearerCredential(token=tokens.access_token)))


def test_a_token_of_a_machine_opens_every_door_without_a_finding(running: tuple[Case, Deployment]) -> None:
    case, deployment = running
    if not case.machines:
        pytest.skip("this authorization server has no client credentials grant")
    name, secret = MACHINE
    tokens = by_client_credentials(deployment.url, client_id=name, client_secret=secret, scope=SCOPE)
    assert [] == found(diagnosed(deployment, BearerCredential(token=tokens.access_token)))


def test_an_expired_bearer_token_is_named_as_far_as_it_shows_its_end(
    running: tuple[Case, Deployment],
) -> None:
    case, deployment = running
    if case.expired is None:
        pytest.skip("this authorization server issues no token that has expired")
    tokens = logged_in(deployment.url, client_id="lapsing", scope=SCOPE)
    report = diagnosed(deployment, BearerCredential(token=tokens.access_token))
    assert [("token_validity", case.expired)] == found(report, "error", "warning")


def test_an_expired_token_with_a_refresh_token_is_one_that_nobody_refreshed(
    running: tuple[Case, Deployment],
) -> None:
    case, deployment = running
    if case.expired is None:
        pytest.skip("this authorization server issues no token that has expired")
    tokens = logged_in(deployment.url, client_id="lapsing", scope=SCOPE)
    credential = oauth2(tokens).model_copy(update={"expires_at": datetime.now(UTC) - timedelta(hours=1)})
    report = diagnosed(deployment, credential)
    assert [("token_validity", "TOK005")] == found(report, "error", "warning")
    bare = credential.model_copy(update={"refresh_token": None})
    assert [("token_validity", "TOK004")] == found(diagnosed(deployment, bare), "error", "warning")


def test_a_token_without_the_scope_is_told_apart_from_a_bad_token(running: tuple[Case, Deployment]) -> None:
    case, deployment = running
    tokens = logged_in(deployment.url, client_id=client_of(case), scope="mcp:write")
    report = diagnosed(deployment, BearerCredential(token=tokens.access_token))
    assert report.verdict.code in case.unscoped
    assert [("token_validity", report.verdict.code)] == found(report, "error", "warning")


def test_a_token_of_another_resource_is_named_where_it_says_so(running: tuple[Case, Deployment]) -> None:
    case, deployment = running
    if case.elsewhere is None:
        pytest.skip("this server does not bind tokens to a resource")
    other = deployment.url.removesuffix("/mcp") + "/other"
    tokens = logged_in(deployment.url, client_id="native", scope=SCOPE, resource=other)
    report = diagnosed(deployment, BearerCredential(token=tokens.access_token))
    assert [("token_validity", case.elsewhere)] == found(report, "error", "warning")


def test_an_issuer_that_the_framework_ends_with_a_slash_is_named(request: pytest.FixtureRequest) -> None:
    # pydantic's AnyHttpUrl turns http://host into http://host/, and RFC 8414 compares byte by byte.
    with ExitStack() as stack:
        provider = oidc_provider(request, stack)
        server = fastmcp(stack, "remote", provider.said)
        report = diagnosed(Deployment(url=f"{server.said}/mcp", processes=(provider, server)))
    assert [("auth_discovery", "AUTH012")] == found(report, "error", "warning")
    evidence = report.step("auth_discovery").findings[0].evidence[0]
    assert (f"{provider.said}/", provider.said) == (evidence.expected, evidence.observed)


def test_a_scope_that_the_authorization_server_does_not_list_is_warned_of_and_refused_to_who_registers(
    request: pytest.FixtureRequest,
) -> None:
    with ExitStack() as stack:
        provider = oidc_provider(request, stack, "", "unlisted")
        server = node(request, stack, "typescript_sdk_1_auth.mjs", provider.said)
        deployment = Deployment(url=f"{server.said}/mcp", processes=(provider, server))
        report = diagnosed(deployment)
        with pytest.raises(AssertionError, match="Authorization Server supported scope values"):
            logged_in(deployment.url, client_id=None, scope=SCOPE)
    warned = [("auth_discovery", "AUTH017"), ("token_validity", "TOK001")]
    assert warned == found(report, "error", "warning")


def test_a_reason_with_quotes_that_the_sdk_does_not_escape_does_not_hide_the_expiry(
    request: pytest.FixtureRequest,
) -> None:
    # error_description=""exp" claim timestamp check failed": the challenge is broken, the verdict is not.
    with ExitStack() as stack:
        provider = oidc_provider(request, stack)
        server = node(request, stack, "typescript_sdk_1_auth.mjs", provider.said, "verbatim")
        deployment = Deployment(url=f"{server.said}/mcp", processes=(provider, server))
        tokens = logged_in(deployment.url, client_id="lapsing", scope=SCOPE)
        report = diagnosed(deployment, BearerCredential(token=tokens.access_token))
    assert "TOK003" == report.verdict.code
