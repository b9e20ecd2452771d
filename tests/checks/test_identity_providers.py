"""Identity providers: recognised by their own documents, and by nothing that somebody else publishes too."""

from __future__ import annotations

import re

import pytest
from diagnose_checks.identity_providers import advised, providers, recognised
from diagnose_lab import Lab
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AnyHttpUrl
from scenario_runs import run

from diagnose.catalogue import codes, page
from diagnose.step import Finding

TENANT = "https://login.microsoftonline.com/8f1c/v2.0"

# The members that matter of each provider's published metadata.
DOCUMENTS: list[tuple[str, dict[str, object]]] = [
    ("Microsoft Entra ID", {"issuer": TENANT}),
    (
        "Microsoft Entra ID",
        {"issuer": "http://127.0.0.1:9/t/v2.0", "token_endpoint": "http://127.0.0.1:9/t/oauth2/v2.0/token"},
    ),
    ("Amazon Cognito", {"issuer": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC"}),
    ("Auth0", {"issuer": "https://acme.eu.auth0.com/"}),
    (
        "Auth0",
        {
            "issuer": "https://login.acme.com/",
            "mfa_challenge_endpoint": "https://login.acme.com/mfa/challenge",
        },
    ),
    ("Okta", {"issuer": "https://acme.okta.com/oauth2/default"}),
    (
        "Okta",
        {
            "issuer": "https://id.acme.com/oauth2/aus1",
            "authorization_endpoint": "https://id.acme.com/oauth2/aus1/v1/authorize",
            "token_endpoint": "https://id.acme.com/oauth2/aus1/v1/token",
        },
    ),
    (
        "Keycloak",
        {
            "issuer": "http://127.0.0.1:8080/realms/x",
            "token_endpoint": "http://127.0.0.1:8080/realms/x/protocol/openid-connect/token",
        },
    ),
    ("Google", {"issuer": "https://accounts.google.com"}),
    ("GitHub", {"issuer": "https://github.com/login/oauth"}),
    ("WorkOS AuthKit", {"issuer": "https://calm-palm-54.authkit.app"}),
    ("Clerk", {"issuer": "https://calm-palm-54.clerk.accounts.dev"}),
    ("Cloudflare Access", {"token_endpoint": "https://acme.cloudflareaccess.com/cdn-cgi/access/oauth/token"}),
    ("PingOne", {"issuer": "https://auth.pingone.eu/0b1c/as"}),
    ("Descope", {"issuer": "https://api.descope.com/v1/apps/P2abc"}),
    ("Stytch", {"issuer": "https://acme.customers.stytch.com"}),
    ("Supabase", {"issuer": "https://abcdefgh.supabase.co/auth/v1"}),
    ("Zitadel", {"issuer": "https://acme-1a2b.zitadel.cloud"}),
    (
        "authentik",
        {
            "issuer": "https://sso.acme.com/application/o/mcp/",
            "token_endpoint": "https://sso.acme.com/application/o/token/",
        },
    ),
    (
        "Authelia",
        {
            "issuer": "https://auth.acme.com",
            "authorization_endpoint": "https://auth.acme.com/api/oidc/authorization",
            "token_endpoint": "https://auth.acme.com/api/oidc/token",
        },
    ),
    (
        "FusionAuth",
        {
            "issuer": "https://login.acme.com",
            "device_authorization_endpoint": "https://login.acme.com/oauth2/device_authorize",
            "userinfo_endpoint": "https://login.acme.com/oauth2/userinfo",
            "token_endpoint": "https://login.acme.com/oauth2/token",
            "jwks_uri": "https://login.acme.com/.well-known/jwks.json",
        },
    ),
    (
        "Ory",
        {
            "issuer": "https://hydra.acme.com",
            "authorization_endpoint": "https://hydra.acme.com/oauth2/auth",
            "token_endpoint": "https://hydra.acme.com/oauth2/token",
            "userinfo_endpoint": "https://hydra.acme.com/userinfo",
        },
    ),
    (
        "better-auth",
        {"issuer": "https://acme.com", "token_endpoint": "https://acme.com/api/auth/oauth2/token"},
    ),
    (
        "oidc-provider",
        {
            "issuer": "http://127.0.0.1:3000",
            "authorization_endpoint": "http://127.0.0.1:3000/auth",
            "token_endpoint": "http://127.0.0.1:3000/token",
            "userinfo_endpoint": "http://127.0.0.1:3000/me",
            "claims_parameter_supported": False,
        },
    ),
    (
        "MCP SDK or FastMCP",
        {
            "issuer": "https://mcp.acme.com/",
            "authorization_endpoint": "https://mcp.acme.com/authorize",
            "token_endpoint": "https://mcp.acme.com/token",
            "revocation_endpoint": "https://mcp.acme.com/revoke",
        },
    ),
]


@pytest.mark.parametrize(("name", "document"), DOCUMENTS)
def test_a_provider_is_recognised_by_its_document(name: str, document: dict[str, object]) -> None:
    found = recognised(document)
    assert found is not None
    assert name == found.name


def test_the_authorization_server_of_the_official_sdk_is_recognised() -> None:
    from mcp.server.auth.routes import build_metadata
    from mcp.server.auth.settings import ClientRegistrationOptions, RevocationOptions

    made = build_metadata(
        AnyHttpUrl("https://mcp.example.com"),
        None,
        ClientRegistrationOptions(enabled=True),
        RevocationOptions(enabled=True),
    )
    found = recognised(made.model_dump(mode="json", exclude_none=True))
    assert found is not None
    assert "MCP SDK or FastMCP" == found.name


def test_every_provider_of_the_table_is_recognised_by_some_document() -> None:
    assert {provider.name for provider in providers()} == {name for name, _ in DOCUMENTS}


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"issuer": "https://as.example.com", "token_endpoint": "https://as.example.com/token"},
        {"issuer": "https://login.microsoftonline.com.evil.example/v2"},
        {
            "issuer": "https://git.example.com",
            "token_endpoint": "https://git.example.com/login/oauth/access_token",
        },
        {"issuer": 5, "token_endpoint": ["https://x/realms/a/protocol/openid-connect/token"]},
    ],
)
def test_a_document_that_could_be_anybodys_is_nobodys(document: dict[str, object]) -> None:
    assert recognised(document) is None


@given(st.text(max_size=3000), st.text(max_size=3000))
def test_recognition_takes_any_text(issuer: str, endpoint: str) -> None:
    recognised({"issuer": issuer, "token_endpoint": endpoint, "authorization_endpoint": endpoint})


@pytest.mark.parametrize("provider", providers(), ids=lambda provider: provider.name)
def test_a_provider_cites_its_documentation_and_advises_on_codes_that_exist(provider: object) -> None:
    row = next(known for known in providers() if known is provider)
    assert row.source.startswith("https://")
    assert set() == set(row.advice) - set(codes())
    for text in row.advice.values():
        assert re.search(r"[.]$", text), text
        assert "{" not in text
    assert {"active"} >= {page(code).status for code in row.advice}


def test_advice_is_added_to_the_findings_that_it_is_about_and_to_no_other() -> None:
    keycloak = next(provider for provider in providers() if provider.name == "Keycloak")
    findings = advised([Finding(code="AUTH012"), Finding(code="AUTH020")], keycloak)
    assert [keycloak.advice["AUTH012"], None] == [finding.advice for finding in findings]
    assert [None] == [finding.advice for finding in advised([Finding(code="AUTH012")], None)]


def test_the_printed_fix_names_the_setting_of_the_provider_and_the_facts_its_name(lab: Lab) -> None:
    report = run(lab, "auth-keycloak-issuer").report
    step = next(step for step in report["steps"] if step["id"] == "auth_discovery")
    assert "Keycloak" == step["facts"]["identity_provider"]
    assert ["AUTH012"] == [finding["code"] for finding in step["findings"]]
    assert "KC_HOSTNAME" in step["findings"][0]["fix"]
