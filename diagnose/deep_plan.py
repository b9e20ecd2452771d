"""What ``--deep`` and ``--register`` send beyond what production sends: said before it is sent.

The help, the note before a run, docs/authorization-probes.md and the probes themselves read this one table.
It imports nothing that costs time.
"""

from __future__ import annotations

from diagnose.records import record

__all__ = ["PLAN", "Planned", "announced", "help_text", "planned"]


@record
class Planned:
    """One kind of request: to where, why, what it carries and what it never carries."""

    id: str
    flag: str
    step: str
    request: str
    most: int
    when: str
    why: str
    carries: str
    never: str


_PROMISE = "none of these carries a secret that the connector does not configure for that very place"
_OF_NOBODY = "a credential, a cookie, a token, a secret"

PLAN: tuple[Planned, ...] = (
    Planned(
        id="session for a browser",
        flag="--deep",
        step="http_reachability",
        request="POST initialize and DELETE to the endpoint",
        most=2,
        when="the endpoint lets the first request in and speaks a legacy era",
        why="whether a script in a browser may read the session id",
        carries="the connector's credential, an Origin",
        never="anything to another origin",
    ),
    Planned(
        id="metadata around an open endpoint",
        flag="--deep",
        step="auth_discovery",
        request="GET the well-known places and /register of the endpoint's host",
        most=6,
        when="the endpoint lets the first request in without a credential",
        why="whether a client that looks for OAuth is led astray there",
        carries="nothing",
        never=_OF_NOBODY,
    ),
    Planned(
        id="metadata of revision 2025-03-26",
        flag="--deep",
        step="auth_discovery",
        request="GET the authorization server metadata at the root of the endpoint's host",
        most=1,
        when="the authorization server is on another host",
        why="whether a client that knows no RFC 9728 finds its way",
        carries="nothing",
        never=_OF_NOBODY,
    ),
    Planned(
        id="authorization request",
        flag="--deep",
        step="auth_discovery",
        request="GET the authorization endpoint",
        most=6,
        when="a client id is at hand: the connector's, a stored login's or one of this run",
        why="whether a login could begin: client id, redirect URI in each loopback form, resource and scopes",
        carries="the client id, a redirect URI, resource, scopes, a made-up state and PKCE challenge",
        never=f"{_OF_NOBODY}; no redirect is followed, no page is opened, no code is redeemed",
    ),
    Planned(
        id="token request",
        flag="--deep",
        step="auth_discovery",
        request="POST to the token endpoint",
        most=2,
        when="the authorization server has a token endpoint",
        why="whether it is reached and answers as RFC 6749 5.2 says; a refused client or a refused grant",
        carries="a made-up code and verifier, the client id; proof of the client's secret or key only where "
        "the connector configures one for this very issuer",
        never="a code, a token, a stored login's secret",
    ),
    Planned(
        id="registration",
        flag="--register",
        step="auth_discovery",
        request="POST to the registration endpoint",
        most=3,
        when="the authorization server has a registration endpoint",
        why="whether a client can register itself (RFC 7591): once with a loopback and once with an https "
        "redirect URI, as a public client; once more with a listed method where that is refused",
        carries="the name connector-diagnose, a redirect URI, the scopes",
        never=_OF_NOBODY,
    ),
    Planned(
        id="removal of a registration",
        flag="--register",
        step="auth_discovery",
        request="DELETE to the client's registration_client_uri",
        most=2,
        when="a registration worked and its answer allows it (RFC 7592)",
        why="so that nothing of this run stays behind",
        carries="the registration access token of that very client",
        never="anything to another origin than the one that registered it",
    ),
    Planned(
        id="made-up credential",
        flag="--deep",
        step="token_validity",
        request="POST the first message to the endpoint, and DELETE the session that it opens",
        most=4,
        when="the connector's credential was accepted",
        why="whether the server looks at credentials: once without one, once with a made-up one of that form",
        carries="a made-up credential; of a JWT only the signature is made up",
        never="anything to another origin",
    ),
    Planned(
        id="second connection",
        flag="--deep",
        step="session_open",
        request="POST the second request again",
        most=1,
        when="the session was honoured",
        why="whether another connection is treated alike",
        carries="the connector's credential, the session id",
        never="anything to another origin",
    ),
    Planned(
        id="tools that nobody announced",
        flag="--deep",
        step="list_tools",
        request="POST tools/list",
        most=1,
        when="the server announces no tools",
        why="whether there are some all the same",
        carries="the connector's credential",
        never="anything to another origin",
    ),
    Planned(
        id="ended session",
        flag="--deep",
        step="teardown",
        request="POST ping with the session that was just ended",
        most=1,
        when="DELETE ended a session",
        why="whether it has really ended",
        carries="the connector's credential, the session id",
        never="anything to another origin",
    ),
)


def planned(id: str) -> Planned:
    """The row of that id. Raises StopIteration for one that does not exist (our bug)."""
    return next(row for row in PLAN if row.id == id)


def help_text(flag: str) -> str:
    """The flag's line in ``--help``."""
    asked = [row for row in PLAN if row.flag == flag and row.step == "auth_discovery"]
    requests = "; ".join(row.request for row in asked if row.carries != "nothing")
    if flag == "--register":
        return f"Register a client and remove it again: {requests}."
    return f"Allow checks that send more than the runtime does. At the authorization server: {requests}."


def announced(*flags: str) -> tuple[str, ...]:
    """What is said before a run with these flags: one line for each kind of request that may be sent."""
    lines = [
        f"{row.flag} may send {row.request} (at most {row.most}): {row.why}"
        for row in PLAN
        if row.flag in flags
    ]
    return (*lines, _PROMISE) if lines else ()
