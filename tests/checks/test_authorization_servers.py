"""Which authorization server is taken, what this client needs of it, and what of its document is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from diagnose_checks.endpoint_urls import harmful, is_public_name, judge_endpoints, judge_other_urls
from diagnose_checks.grants import judge_client
from diagnose_checks.metadata_fetch import Document
from diagnose_checks.registration import judge_registration, registration_routes
from diagnose_lab import Lab
from hypothesis import given
from hypothesis import strategies as st
from scenario_runs import Outcome, run

from diagnose import Connector
from diagnose.connector import OAuth2Credential, Secret
from diagnose.connector.address import origin_of
from diagnose.wire.reach import reach_of

AS = "https://as.example.com"
OWN = origin_of("https://mcp.example.com/mcp")
PUBLIC = reach_of(OWN, None)
RIGHT = {"issuer": AS, "authorization_endpoint": f"{AS}/authorize", "token_endpoint": f"{AS}/token"}


def document(**members: object) -> Document:
    return Document(url=f"{AS}/.well-known/x", outcome="found", detail="", value={**RIGHT, **members})


def facts_of(outcome: Outcome) -> dict[str, Any]:
    step = next(step for step in outcome.report["steps"] if step["id"] == "auth_discovery")
    made = step["facts"]
    assert isinstance(made, dict)
    return made


def evidence_of(outcome: Outcome, code: str) -> list[dict[str, Any]]:
    return [
        item
        for step in outcome.report["steps"]
        for finding in step["findings"]
        if finding["code"] == code
        for item in finding["evidence"]
    ]


# --- Harmful and unreachable URLs


@pytest.mark.parametrize(
    "text",
    [
        "javascript:alert(1)",
        "JAVASCRIPT:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "ms-msdt:/id",
        "--option",
        "https://a.example/$(calc)",
        "https://a.example/`id`",
        "https://user@a.example/",
        "https://user:pw@a.example/",
        "https://a.example/a b",
        "https://a.example/\n",
        "https://-a.example/",
        "https://a..example/",
        "https://$(id).example/",
        "https://[broken",
        "https://a.example/\u202e",
        "https://a.example/" + "a" * 3000,
    ],
)
def test_what_no_client_may_open_is_harmful(text: str) -> None:
    assert harmful(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "https://a.example/authorize?tenant=1&x=(y)",
        "https://a_b.example:8443/x",
        "https://[::1]:8080/token",
        "http://127.0.0.1/x",
        "https://xn--bcher-kva.example/",
        "/relative",
        "urn:example:x",
        "",
    ],
)
def test_a_url_that_is_only_a_url_is_harmless(text: str) -> None:
    assert harmful(text) is None


@given(st.text(max_size=100))
def test_any_text_is_judged_without_a_fault(text: str) -> None:
    harmful(text)
    is_public_name(text)
    judge_endpoints(document(token_endpoint=text), OWN, PUBLIC)
    judge_other_urls(document(jwks_uri=text), "x")


@pytest.mark.parametrize("member", ["jwks_uri", "service_documentation", "op_tos_uri", "revocation_endpoint"])
def test_a_script_in_any_member_is_named(member: str) -> None:
    assert ["AUTH038"] == [
        finding.code for finding in judge_other_urls(document(**{member: "javascript:x"}), "x")
    ]


@pytest.mark.parametrize(
    ("host", "codes"),
    [
        ("localhost", ["AUTH036"]),
        ("127.0.0.1", ["AUTH036"]),
        ("10.1.2.3", ["AUTH036"]),
        ("169.254.1.1", ["AUTH036"]),
        ("[::1]", ["AUTH036"]),
        ("keycloak", ["AUTH036"]),
        ("auth.svc.cluster.local", ["AUTH036"]),
        ("auth.internal", ["AUTH036"]),
        ("oauth2.googleapis.example", []),
        ("8.8.8.8", []),
        ("internal.example.com", []),
        ("localhost.example.com", []),
    ],
)
def test_an_endpoint_is_on_a_host_that_a_client_can_reach(host: str, codes: list[str]) -> None:
    found = judge_endpoints(document(token_endpoint=f"https://{host}/token"), OWN, PUBLIC)
    assert codes == [finding.code for finding in found]


def test_a_connector_on_a_private_network_may_have_a_private_authorization_server() -> None:
    own = origin_of("https://10.0.0.5/mcp")
    found = judge_endpoints(document(token_endpoint="https://keycloak/token"), own, reach_of(own, None))
    assert [] == found


def test_an_issuer_that_is_private_itself_may_have_private_endpoints() -> None:
    inner = document(issuer="https://sso.internal", token_endpoint="https://sso.internal/token")
    assert [] == judge_endpoints(inner, OWN, PUBLIC)


def test_an_endpoint_on_the_mcp_host_is_a_note_where_the_issuer_is_elsewhere() -> None:
    found = judge_endpoints(document(registration_endpoint="https://mcp.example.com/register"), OWN, PUBLIC)
    assert ["AUTH037"] == [finding.code for finding in found]
    same = document(
        issuer="https://mcp.example.com", registration_endpoint="https://mcp.example.com/register"
    )
    assert [] == judge_endpoints(same, OWN, PUBLIC)


@pytest.mark.parametrize(
    "name",
    ["auth-endpoint-shell", "auth-endpoint-userinfo", "auth-harmful-resource-member", "auth-like-google"],
)
def test_a_url_inside_a_document_is_not_fetched(lab: Lab, name: str) -> None:
    outcome = run(lab, name)
    assert [] == [record.target for record in outcome.requests if record.server == "other"]
    assert outcome.scenario.other is not None


# --- What this client needs


def client(**members: Any) -> OAuth2Credential:
    return OAuth2Credential(**{"client_id": "c", "issuer": AS, **members})


SECRET = Secret("s3cret-of-the-client")
MACHINE = {"grant_type": "client_credentials", "client_secret": SECRET}
KEY = {"grant_type": "client_credentials", "private_key": Path("key.pem")}
ASSERTED = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": SECRET}


@pytest.mark.parametrize(
    ("members", "offered", "expected"),
    [
        ({}, {}, []),
        ({}, {"grant_types_supported": ["authorization_code"]}, []),
        ({}, {"grant_types_supported": ["client_credentials"]}, [("AUTH029", None)]),
        (MACHINE, {}, [("AUTH029", "info")]),
        (MACHINE, {"grant_types_supported": ["client_credentials"]}, []),
        (MACHINE, {"grant_types_supported": ["authorization_code"]}, [("AUTH029", None)]),
        (MACHINE, {"grant_types_supported": 5}, [("AUTH029", "info")]),
        (
            ASSERTED,
            {
                "grant_types_supported": ["urn:ietf:params:oauth:grant-type:jwt-bearer"],
                "authorization_grant_profiles_supported": ["urn:ietf:params:oauth:grant-profile:id-jag"],
            },
            [],
        ),
        (
            ASSERTED,
            {
                "grant_types_supported": ["urn:ietf:params:oauth:grant-type:jwt-bearer"],
                "authorization_grant_profiles_supported": [],
            },
            [("AUTH029", "warning")],
        ),
    ],
)
def test_the_grant_of_the_connector_is_offered(
    members: dict[str, Any], offered: dict[str, Any], expected: list[tuple[str, str | None]]
) -> None:
    found = judge_client(document(**offered), client(**members))
    assert expected == [(finding.code, finding.severity) for finding in found]


@pytest.mark.parametrize(
    ("members", "offered", "expected"),
    [
        ({}, {}, []),
        ({}, {"token_endpoint_auth_methods_supported": ["none"]}, []),
        ({}, {"token_endpoint_auth_methods_supported": ["client_secret_post"]}, []),
        (
            {"token_endpoint_auth_method": "none"},
            {"token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"]},
            [],
        ),
        (MACHINE, {"token_endpoint_auth_methods_supported": ["client_secret_post"]}, []),
        (MACHINE, {"token_endpoint_auth_methods_supported": ["private_key_jwt"]}, [("AUTH030", None)]),
        (
            {**MACHINE, "token_endpoint_auth_method": "client_secret_basic"},
            {"token_endpoint_auth_methods_supported": ["client_secret_post"]},
            [("AUTH030", None)],
        ),
        (KEY, {"token_endpoint_auth_methods_supported": ["private_key_jwt"]}, []),
        (
            KEY,
            {
                "token_endpoint_auth_methods_supported": ["private_key_jwt"],
                "token_endpoint_auth_signing_alg_values_supported": ["ES256"],
            },
            [("AUTH030", None)],
        ),
    ],
)
def test_what_the_client_shows_is_taken(
    members: dict[str, Any], offered: dict[str, Any], expected: list[tuple[str, str | None]]
) -> None:
    grants = {"grant_types_supported": ["authorization_code", "client_credentials"]}
    found = judge_client(document(**grants, **offered), client(**members))
    assert expected == [(finding.code, finding.severity) for finding in found]


# --- Registration


def test_the_routes_are_said_in_words(lab: Lab) -> None:
    facts = facts_of(run(lab, "auth-dcr-only"))
    assert [False, False, True] == list(facts["registration"].values())
    assert "clients that register themselves" in facts["can_connect"]
    assert ["clients whose only identity is a client ID metadata document"] == facts["cannot_connect"]


@pytest.mark.parametrize(
    ("url", "codes"),
    [
        ("https://client.example/oauth/client.json", []),
        ("https://client.example", ["AUTH032"]),
        ("https://client.example/", ["AUTH032"]),
        ("http://client.example/client.json", ["AUTH032"]),
        ("https://client.example/a/../client.json", ["AUTH032"]),
        ("https://client.example/client.json#x", ["AUTH032"]),
        ("https://u:p@client.example/client.json", ["AUTH032"]),
        ("javascript:x", ["AUTH032"]),
    ],
)
def test_a_client_id_metadata_url_is_an_https_url_with_a_path(url: str, codes: list[str]) -> None:
    credential = OAuth2Credential(client_id_metadata_url=url)
    connector = Connector(url="https://mcp.example.com/mcp", credential=credential)
    server = document(client_id_metadata_document_supported=True)
    found = judge_registration(server, registration_routes(connector, server.value), credential)
    assert codes == [finding.code for finding in found]


# --- Which server


def test_the_server_of_the_credential_is_the_one_that_is_walked(lab: Lab) -> None:
    outcome = run(lab, "auth-issuer-second")
    asked = [record.path for record in outcome.requests if record.server == "as"]
    assert asked
    assert [] == [path for path in asked if "other" in path]


def test_a_server_that_works_is_the_only_one_asked(lab: Lab) -> None:
    outcome = run(lab, "auth-several-servers")
    assert [] == [record.path for record in outcome.requests if "other" in record.path]
    assert 2 == len(facts_of(outcome)["authorization_servers"])


def test_the_server_that_works_is_the_contrast_to_the_one_that_does_not(lab: Lab) -> None:
    outcome = run(lab, "auth-first-server-broken")
    labels = [item["label"] for item in evidence_of(outcome, "AUTH009")]
    assert "another authorization server of the list, judged the same way" in labels
    subjects = {item["for"] for item in facts_of(outcome)["candidates"]}
    assert {"resource", "authorization server", "another authorization server of the list"} == subjects


def test_at_most_five_servers_are_walked(lab: Lab) -> None:
    outcome = run(lab, "auth-many-servers-broken")
    asked = " ".join(record.path for record in outcome.requests if record.server == "as")
    assert {f"gone{number}" for number in range(1, 6)} == set(re.findall(r"gone\d", asked))


# --- Notes, and what --deep looks at


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("auth-configured-client-only", "AUTH031"),
        ("auth-deep-legacy-client", "AUTH033"),
        ("auth-endpoint-on-mcp-host", "AUTH037"),
    ],
)
def test_a_note_is_given_and_nothing_more(lab: Lab, name: str, code: str) -> None:
    assert ("auth_discovery", code) in run(lab, name).findings("info")


def test_without_deep_the_root_of_the_mcp_host_is_not_asked(lab: Lab) -> None:
    asked = [record.path for record in run(lab, "auth-several-servers").requests if record.server == "server"]
    assert "/.well-known/oauth-authorization-server" not in asked


def test_around_an_open_endpoint_only_get_is_sent(lab: Lab) -> None:
    outcome = run(lab, "auth-open-catch-all")
    looked = [
        record for record in outcome.requests if ".well-known" in record.path or record.path == "/register"
    ]
    assert {"GET"} == {record.method for record in looked}
    assert len(looked) >= 4
