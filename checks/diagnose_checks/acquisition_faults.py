"""Why no token was got, as findings: each reason is a row, and the recorded answer is its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from diagnose.connector import OAuth2Credential
from diagnose.connector.credential import JWT_BEARER
from diagnose.context import Context
from diagnose.step import Evidence, Fault, Finding

if TYPE_CHECKING:
    from diagnose.oauth.acquisition import AcquisitionFailed, Flow
    from diagnose.oauth.flow_transport import EndpointAnswer

__all__ = ["failed_key", "failed_port", "fault_of_failure", "late", "stray_hits", "unheard"]

_WRONG_STATE = "another state than this login's"

# RFC 6749 5.2 and RFC 8707 2, as a token endpoint sends them.
_TOKEN_ERRORS: Mapping[str, str] = {
    "invalid_client": "TOK035",
    "unauthorized_client": "TOK035",
    "invalid_grant": "TOK036",
    "invalid_target": "TOK038",
    "invalid_scope": "TOK039",
}
# RFC 6749 4.1.2.1 and RFC 8707 2, as they come back to the redirect URI.
_AUTHORIZATION_ERRORS: Mapping[str, str] = {
    "invalid_target": "TOK038",
    "invalid_scope": "TOK039",
}


def fault_of_failure(ctx: Context, flow: Flow, failure: AcquisitionFailed) -> Fault:
    """The fault of a login or an acquisition that gave no token."""
    if failure.stray and failure.reason != "no answer":
        ctx.add(stray_hits(failure.stray))
    if failure.reason == "no answer":
        return _unanswered(flow, failure)
    if failure.authorization is not None:
        return _not_authorized(flow, failure)
    if failure.answer is not None:
        registering = failure.answer.role == "registration"
        return _not_registered(flow, failure.answer) if registering else _refused(flow, failure.answer)
    if failure.reason in ("unreached", "refused"):
        return _unreached(ctx, flow, failure)
    evidence = Evidence(label="the official SDK", expected="a token", observed=failure.detail)
    return Fault("TOK047", evidence, said=failure.detail, issuer=flow.issuer)


def late(flow: Flow) -> Fault:
    """The step's deadline passed while an endpoint was asked."""
    url = str(flow.judged.server.get("token_endpoint", flow.issuer))
    said = "no complete answer came before the step's deadline"
    evidence = Evidence(label="the token", expected="an HTTP answer", observed=said, where=url)
    return Fault("TOK042", evidence, where=url, endpoint=url, said=said)


def unheard(said: str, exchange: int | None) -> Fault:
    """With the new token the server gave no complete answer."""
    evidence = Evidence(
        label="the first message, with the new token",
        expected="a complete answer",
        observed=said,
        exchange=exchange,
    )
    return Fault("TOK044", evidence, exchange=exchange, said=said)


def stray_hits(stray: Mapping[str, int]) -> Finding:
    """The warning about requests to the callback that were not the answer."""
    listed = _listed(stray)
    evidence = Evidence(
        label="requests to the loopback callback", expected="the answer of this login alone", observed=listed
    )
    return Finding(code="TOK032", args={"count": sum(stray.values()), "listed": listed}, evidence=(evidence,))


def _listed(stray: Mapping[str, int]) -> str:
    return "; ".join(f"{what}: {count}" for what, count in sorted(stray.items()))


def failed_key(credential: OAuth2Credential, why: str) -> Fault:
    """The private key of the connector cannot sign."""
    evidence = Evidence(label="private_key", expected="a private key in PEM form that signs", observed=why)
    return Fault("TOK049", evidence, file=str(credential.private_key), why=why)


def failed_port(flow: Flow, why: str) -> Fault:
    """The callback has no place to listen."""
    redirect = flow.interaction.redirect if flow.interaction is not None else None
    address = f"{redirect.host}:{redirect.port}" if redirect is not None else "loopback"
    evidence = Evidence(label=f"listening on {address}", expected="a free port", observed=why)
    return Fault("TOK048", evidence, address=address, why=why)


def _unanswered(flow: Flow, failure: AcquisitionFailed) -> Fault:
    hits = _listed(failure.stray) or "no request at all"
    evidence = Evidence(
        label=f"requests to the callback within {failure.detail} s",
        expected="the authorization response",
        observed=hits,
    )
    code = "TOK033" if failure.stray.get(_WRONG_STATE) else "TOK031"
    return Fault(code, evidence, issuer=flow.issuer, waited=failure.detail, hits=hits)


def _not_authorized(flow: Flow, failure: AcquisitionFailed) -> Fault:
    came = failure.authorization
    assert came is not None
    if came.kind == "issuer":
        observed = came.iss if came.iss is not None else "absent"
        evidence = Evidence(
            label="iss of the authorization response", expected=flow.issuer, observed=observed
        )
        return Fault("TOK034", evidence, issuer=flow.issuer, observed=observed)
    said = ": ".join(part for part in (came.error, came.description) if part) or "neither code nor error"
    evidence = Evidence(label="the authorization response", expected="a code", observed=said)
    code = _AUTHORIZATION_ERRORS.get(came.error or "", "TOK030")
    # Only a refusal can be the person's own; a server that fails or rejects the request is its operator's.
    actor = "idp_admin" if code == "TOK030" and came.error != "access_denied" else None
    return Fault(code, evidence, actor=actor, said=said, **_asked(flow, "the authorization endpoint"))


def _not_registered(flow: Flow, answer: EndpointAnswer) -> Fault:
    return Fault(
        "TOK037",
        _evidence(answer, "201 with a client_id that this client can use"),
        exchange=answer.exchange,
        where=answer.url,
        said=_said(answer),
        **_asked(flow, answer.url),
    )


def _refused(flow: Flow, answer: EndpointAnswer) -> Fault:
    error = answer.value.get("error")
    code = _TOKEN_ERRORS.get(error, "TOK040") if isinstance(error, str) else "TOK040"
    if answer.status in (200, 201):
        code = "TOK041"
    if code == "TOK036" and flow.client.grant == JWT_BEARER:
        code = "TOK046"
    return Fault(
        code,
        _evidence(answer, "200 with an access token"),
        exchange=answer.exchange,
        where=answer.url,
        said=_said(answer),
        **_asked(flow, answer.url),
    )


def _unreached(ctx: Context, flow: Flow, failure: AcquisitionFailed) -> Fault:
    endpoint = f"{failure.role or 'authorization'}_endpoint"
    url = str(flow.judged.server.get(endpoint, flow.issuer))
    exchange = flow.wire.exchanges[-1].id if flow.wire.exchanges else None
    evidence = Evidence(
        label=f"/{endpoint}", expected="an HTTP answer", observed=failure.detail, where=url, exchange=exchange
    )
    return Fault("TOK042", evidence, exchange=exchange, where=url, endpoint=url, said=failure.detail)


def _asked(flow: Flow, endpoint: str) -> dict[str, Any]:
    """The words about the client that the pages of this family share."""
    client = flow.client
    proof = {
        "none": "without a secret",
        "client_secret_basic": "with its secret in the Authorization header",
        "client_secret_post": "with its secret in the form",
        "private_key_jwt": "with an assertion signed by its private key",
    }[client.method or "none"]
    resource = flow.judged.resource.get("resource") if flow.judged.resource else None
    return {
        "endpoint": endpoint,
        "issuer": flow.issuer,
        "client": client.client_id or "a client of its own registration",
        "proof": proof,
        "scope": flow.judged.scope or "no scope",
        "resource": str(resource or flow.judged.endpoint)[:300],
    }


def _evidence(answer: EndpointAnswer, expected: str) -> Evidence:
    return Evidence(
        label=f"POST to the {answer.role} endpoint",
        expected=expected,
        observed=f"HTTP {answer.status}: {_said(answer)}",
        where=answer.url,
        exchange=answer.exchange,
    )


def _said(answer: EndpointAnswer) -> str:
    """``error`` and its description; the start of the body only where that is no JSON object."""
    words = [answer.value.get(name) for name in ("error", "error_description")]
    told = ": ".join(word for word in words if isinstance(word, str) and word)[:300]
    if told:
        return told
    if answer.value:
        return f"a JSON object with {', '.join(sorted(map(str, answer.value)))[:200]}"
    kind = next((text for name, text in answer.headers.items() if name.lower() == "content-type"), "no type")
    text = answer.body[:80].decode("utf-8", "replace").strip()
    return f"no JSON object ({kind[:80]}): {text!r}" if text else "an empty body"
