"""What the body of a 403 says: most servers that forbid name their reason there, and nowhere else."""

from __future__ import annotations

import re

from diagnose.records import record

__all__ = ["UNNAMED", "ForbiddenReading", "forbidden_reading"]

_ENOUGH = 4000


@record
class ForbiddenReading:
    """Words by which a reason is known, what they mean, who changes what; None is the last resort."""

    words: re.Pattern[str] | None
    meaning: str
    advice: str
    actor: str | None = None


def _said(words: str) -> re.Pattern[str]:
    return re.compile(words, re.IGNORECASE)


_READINGS = (
    ForbiddenReading(
        words=_said(r"missing authentication token"),
        meaning='Amazon API Gateway says "Missing Authentication Token" where no route matches the path and '
        "the method, and where a route wants requests signed with AWS keys",
        advice="Compare the path, with its stage, to the URL that the operator documents; a route with IAM "
        "authorization is not for MCP clients",
        actor="user",
    ),
    ForbiddenReading(
        words=_said(r"csrf|xsrf|request forgery"),
        meaning="The body speaks of a CSRF check, which is made for the forms of browsers",
        advice="On the server: exempt the MCP path from the CSRF check",
        actor="server_author",
    ),
    ForbiddenReading(
        words=_said(
            r"not authenticated|authentication (is )?required|unauthenticated|unauthori[sz]ed|api[ _-]?key"
            r"|credential|(access|auth|bearer)[ _-]?token|(log|sign)[ -]?in\b"
        ),
        meaning="The body speaks of a credential: the server says 403 where MCP wants 401, so clients do not "
        "learn that a credential would help",
        advice="Check the credential of the connector and the header that the server documents for it "
        "(--bearer-env VARIABLE, or --header 'NAME: VALUE'); on the server: answer 401 with WWW-Authenticate",
        actor="user",
    ),
)
UNNAMED = ForbiddenReading(
    words=None,
    meaning="The body names no reason that is known here; rules about your network address, country, client "
    "or account cannot be seen from outside",
    advice="Find the rule that refused the request in the log of {server}, by the UTC time of this run and "
    "the User-Agent of the exchange, and exempt this client from it; if another network gets through, the "
    "rule is about the address",
)


def forbidden_reading(body: str) -> ForbiddenReading:
    """The first reading whose words stand in the body."""
    text = body[:_ENOUGH]
    return next((row for row in _READINGS if row.words is not None and row.words.search(text)), UNNAMED)
