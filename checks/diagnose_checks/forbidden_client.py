"""403 for a credential that is known: the client, the audience or the address is not on the list."""

from __future__ import annotations

import re
from urllib.parse import quote

from diagnose.step import Evidence, Finding
from diagnose_checks.refusal import Refusal

__all__ = ["forbidden_client"]

# Amazon Bedrock AgentCore: /runtimes/{percent-encoded ARN}/invocations.
_RAW_ARN = re.compile(r"(?<=/runtimes/)arn:aws[a-z-]*:.+?(?=/invocations(?:$|[/?]))")


def forbidden_client(refusal: Refusal) -> Finding:
    """What the 403 is about, as far as the answer and the URL show it."""
    client = refusal.reading.text("azp", "client_id", "appid", "cid") or "not readable from here"
    audience = ", ".join(refusal.reading.audiences) or "not readable from here"
    bare = refusal.challenges.of("Bearer", "DPoP") is None
    form = (
        "403 without a challenge, while the same request without the credential is not forbidden"
        if bare
        else "403 with a Bearer challenge and no missing scope"
    )
    listing = (
        "Add this client to the list of clients and audiences that the server or its platform allows"
        f" (client id: {client}; audience: {audience})"
    )
    args = {"client": client, "audience": audience, "form": form, "change": listing}
    raw = _RAW_ARN.search(refusal.url)
    if raw is None:
        return refusal.finding("TOK012", **args)
    encoded = refusal.url.replace(raw.group(), quote(raw.group(), safe=""))
    address = Evidence(label="the ARN in the URL", expected=quote(raw.group(), safe=""), observed=raw.group())
    args["change"] = (
        f"The ARN in the URL is not percent-encoded: use {encoded}."
        f" If that is refused too: {listing[:1].lower()}{listing[1:]}"
    )
    return refusal.finding("TOK012", address, actor="user", confidence="likely", **args)
