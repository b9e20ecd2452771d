"""Every class of the field for steps 5 and 6 and for local processes is named by a page and has a scenario.

The corpus is a collection of real failures; what is here is its list of classes, with the reason for each.
"""

from __future__ import annotations

import pytest
from diagnose_lab import scenarios

from diagnose.catalogue import codes, page

# What a run proves from the documents, with GET alone.
DISCOVERY = {
    "auth.dcr-unsupported": "no registration, no metadata documents, no client id",
    "auth.client-not-resolved": "the same, as clients say it that stop before the login",
    "auth.client-ignores-configured-client-id": "all is right from outside: the client is at fault",
    "auth.entra-resource-scope": "the resource does not belong to the scopes",
    "auth.entra-scope-falls-to-graph": "a scope without the prefix of its API",
    "auth.issuer-mismatch": "the metadata names another issuer",
    "auth.prm-resource-mismatch": "the resource is another URL",
    "auth.prm-missing": "no protected resource metadata",
    "auth.www-authenticate-missing": "401 without a challenge",
    "auth.pkce-not-advertised": "S256 is not listed",
    "auth.vendor-catch-all-message": "one message for six causes, each of which has its own finding",
    "auth.token-response-not-json": "HTML where JSON belongs",
    "auth.authless-server-dcr-decline": "an open endpoint, and no clean 404 around it",
    "auth.metadata-on-unprotected-endpoint": "an open endpoint, and metadata that demands a login",
    "auth.invalid-scope-offline-access": "offline_access is asked for and not offered",
    "auth.invalid-scope-prm-vs-as": "the two lists of scopes differ",
    "auth.scope-not-requested": "nobody says which scope to ask for",
    "auth.legacy-client-ignores-prm": "a client of 2025-03-26 asks the MCP host",
    "auth.url-without-endpoint-path": "the site instead of the endpoint",
}

# What a run proves from the answer to the request that production sends.
TOKEN = {
    "token.no-refresh-token": "none was issued",
    "token.refresh-never-tried": "there is one, and nobody uses it",
    "token.expired-silent-tool-loss": "the door is closed while the house looks open",
    "token.insufficient-scope": "403 with the scope that is missing",
    "token.audience-mismatch": "the token is for somebody else",
    "token.forbidden-403-wrong-client": "the client is not on the list",
    "token.iss-mismatch": "the token is from somebody else",
    "token.jwks-url-wrong": "the key is unknown where the server looks",
}

# What shows only when the authorization server itself is asked, under --deep and --register.
PROBED = {
    "auth.redirect-uri-loopback-form": "another host, port or path than the registered one",
    "auth.code-not-redeemed": "nothing between the callback and the token works",
    "auth.dcr-redirect-not-allowed": "registration refuses one kind of redirect URI",
    "auth.resource-not-registered": "invalid_target for the URL of the endpoint",
    "auth.resource-param-required": "without resource the login leads out of the flow",
    "auth.registered-client-forgotten": "a stored client id is unknown, and a new one is given",
}

# What breaks before a local process says its first word, and what only a process can do.
LOCAL = {
    "stdio.stdout-pollution": "a banner or a log line where messages belong",
    "stdio.cold-start-timeout": "an installation that outlasts the client",
    "stdio.command-not-found": "another PATH than the shell's, or nothing installed",
    "stdio.env-not-inherited": "a variable of the shell that is not passed on",
    "stdio.exit-at-start": "an end before the first answer",
    "stdio.docker-not-running": "the daemon is not there",
    "stdio.env-replaces-path": "the connector's variables are all there is",
    "stdio.module-not-found": "the package is there, a part of it is not",
    "init.stdio-silent-on-discover": "an older server ignores what it does not know",
    "init.discover-double-spawn": "two starts where one is possible",
    "call.pipe-deadlock": "a child writes and nobody reads",
    "teardown.process-survives": "closed, and still there",
}

# Batch files need Windows: the rule is tested with an injected platform instead of a scenario.
ELSEWHERE = ("stdio.windows-cmd-shim",)

# What shows only when a credential is used more than once: not held to the two rules below.
ASKED_FOR = (
    "token.accepted-then-never-used",
    "token.refresh-rotation-race",
    "token.doctor-false-ok",
)


@pytest.mark.parametrize("name", [*DISCOVERY, *TOKEN, *PROBED, *LOCAL, *ELSEWHERE])
def test_a_class_of_the_field_is_named_by_a_page_that_is_in_force(name: str) -> None:
    naming = [code for code in codes() if page(code).status == "active" and name in page(code).field]
    assert [] != naming


@pytest.mark.parametrize("name", [*DISCOVERY, *TOKEN, *PROBED, *LOCAL])
def test_a_class_of_the_field_is_provoked_by_a_scenario(name: str) -> None:
    provoking = [made.name for made in scenarios() if name in made.field]
    assert [] != provoking


def test_no_class_is_listed_twice() -> None:
    listed = [*DISCOVERY, *TOKEN, *ASKED_FOR]
    assert sorted(set(listed)) == sorted(listed)
