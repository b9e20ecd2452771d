"""Causes that lie in the kind of the token: its purpose, its tenant, the way in which it must be sent."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from diagnose.step import Evidence, Finding
from diagnose_checks.difference import clipped
from diagnose_checks.refusal import Refusal

__all__ = ["bound_to_sender", "id_token", "other_tenant"]

_ACCESS_TOKEN_TYPE = "at+jwt"  # RFC 9068 2.1
_OF_ID_TOKENS = ("at_hash", "c_hash", "s_hash")  # OpenID Connect Core 3.1.3.6, 3.3.2.11; FAPI
_PLACES = r"(?:tenant|project|organi[sz]ation|workspace|environment|realm|user pool)"
# "belongs to another project", "tenant mismatch": a place of the vendor's own, and that it is not this one.
_OTHER_PLACE = re.compile(
    rf"(?:another|different|other|wrong|foreign) {_PLACES}|{_PLACES} (?:id )?(?:mismatch|does not match)",
    re.IGNORECASE,
)


def id_token(refusal: Refusal) -> tuple[Finding, bool] | None:
    """OpenID Connect Core 2: an ID token tells a client who logged in, and opens no door."""
    marks, explicit = _id_token_marks(refusal)
    if not marks:
        return None
    said = refusal.says("id token", "id_token", "not an access token", "token_use", "token type")
    observed = ", ".join(marks)
    proof = Evidence(label="kind of the token", expected="an access token", observed=observed)
    # The audience of an ID token is the client: a server that names the audience names this.
    named = said or refusal.names_audience
    confidence = "certain" if explicit or said else "likely"
    return refusal.finding("TOK023", proof, confidence=confidence, marks=observed), named


def _id_token_marks(refusal: Refusal) -> tuple[list[str], bool]:
    """What shows an ID token, and whether one of the marks is on no other kind."""
    header, claims = refusal.reading.header, refusal.reading.claims
    kind, use = claims.get("typ"), claims.get("token_use")  # Keycloak, Cognito
    if str(header.get("typ", "")).lower().endswith(_ACCESS_TOKEN_TYPE) or kind == "Bearer" or use == "access":
        return [], False
    explicit = [f"token_use is {use}"] if use == "id" else []
    explicit += [f"its claim typ is {kind}"] if kind == "ID" else []
    explicit += [f"it has {name}" for name in _OF_ID_TOKENS if name in claims]
    if explicit:
        return explicit, True
    audiences, client = refusal.reading.audiences, refusal.client_id or refusal.reading.text("azp")
    if "nonce" in claims and refusal.reading.scopes is None and client is not None and (client,) == audiences:
        return ["it has a nonce", f"its audience is the client {clipped(client)}", "it has no scope"], False
    return [], False


def bound_to_sender(refusal: Refusal) -> tuple[Finding, bool] | None:
    """RFC 9449 7.1 and RFC 8705 3: a bound token is good only with the proof of its holder."""
    bound, scheme = refusal.reading.bound_to, (refusal.shown.scheme or "").lower()
    required = refusal.resource_metadata.get("dpop_bound_access_tokens_required") is True
    certified = refusal.resource_metadata.get("tls_client_certificate_bound_access_tokens") is True
    if scheme != "bearer":
        return None
    if bound == "a DPoP key" or (bound is None and required):
        how = "with the scheme DPoP and a DPoP header that proves the key"
        source = "its claim cnf holds jkt" if bound else "dpop_bound_access_tokens_required is true"
    elif bound == "a client certificate" or (bound is None and certified):
        if refusal.has_certificate:
            return None
        how = "over a connection that shows the client certificate it was issued to"
        source = (
            "its claim cnf holds x5t#S256" if bound else "tls_client_certificate_bound_access_tokens is true"
        )
    else:
        return None
    said = refusal.says("dpop", "proof", "certificate", "mtls", "cnf", "binding") or (
        refusal.challenges.of("DPoP") is not None and refusal.challenges.of("Bearer") is None
    )
    proof = Evidence(label="sender constraint", expected=how, observed="Bearer alone", where=source)
    certain = bound is not None or said
    return (
        refusal.finding(
            "TOK024", proof, confidence="certain" if certain else "likely", source=source, how=how
        ),
        said,
    )


def other_tenant(refusal: Refusal) -> tuple[Finding, bool] | None:
    """A good token of another tenant, project or realm: its form is right, and this server is not its own."""
    named = _OTHER_PLACE.search(refusal.words)
    if named is not None:
        proof = Evidence(label="reason of the server", expected="none", observed=refusal.words)
        words = "the server says that it belongs elsewhere"
        return refusal.finding("TOK027", proof, confidence="certain", proof=words, own=_own(refusal)), True
    issuer = refusal.reading.text("iss")
    if issuer is None or issuer in refusal.issuers or refusal.says("revoked", "malformed", "inactive"):
        return None
    expected = next((one for one in refusal.issuers if _same_server(one, issuer)), None)
    if expected is None:
        return None
    proof = Evidence(label="iss", expected=expected, observed=issuer)
    words = f"its iss is {issuer}, another tenant of the authorization server than {expected}"
    said = refusal.says("issuer", "iss ", "signature", "tenant", "kid", "jwks")
    return (
        refusal.finding(
            "TOK027", proof, confidence="certain" if said else "likely", proof=words, own=expected
        ),
        said,
    )


def _own(refusal: Refusal) -> str:
    return next(iter(refusal.issuers), refusal.url)


def _same_server(one: str, other: str) -> bool:
    """Two tenants of one authorization server: the same origin, and paths of the same shape."""
    try:
        first, second = urlsplit(one), urlsplit(other)
    except ValueError:
        return False
    if (first.scheme, first.netloc.lower()) != (second.scheme, second.netloc.lower()) or not first.netloc:
        return False
    parts, others = first.path.strip("/").split("/"), second.path.strip("/").split("/")
    # "/a" and "/a/" are one name spelled twice, which is a matter of the issuer's spelling.
    return parts != others and parts != [""] and len(parts) == len(others)
