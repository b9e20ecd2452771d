"""``--deep``: the authorization request that a client would send, and contrasts with one thing changed.

Only contrasts that can decide something are sent. Nothing real is in any of them but the client id.
"""

from __future__ import annotations

from collections.abc import Iterator

from diagnose.records import record
from diagnose_checks.authorization_answer import AuthorizationReply, read_reply
from diagnose_checks.authorization_request import AuthorizationRequest, loopback_forms, made_up
from diagnose_checks.client_identity import Identity
from diagnose_checks.deep_ledger import Ledger, Subject

__all__ = ["OFFLINE", "Asked", "Probed", "probe_authorization"]

OFFLINE = "offline_access"
_ID = "authorization request"
_HEADERS = {"Accept": "text/html,application/json;q=0.9,*/*;q=0.8"}
_MOST_CONTRASTS = 5


@record
class Probed:
    """One request and its reply; ``changed`` is empty for the one that a client would send."""

    changed: str
    request: AuthorizationRequest
    reply: AuthorizationReply


@record
class Asked:
    """The first request and its contrasts, in the order in which they were sent."""

    first: Probed
    contrasts: tuple[Probed, ...] = ()

    @property
    def resource_left_out(self) -> Probed | None:
        base = self.first.request
        return next((it for it in self.contrasts if it.request.resource is None and base.resource), None)

    @property
    def redirects(self) -> tuple[Probed, ...]:
        base = self.first.request.redirect_uri
        return tuple(it for it in self.contrasts if it.request.redirect_uri != base)

    @property
    def scopes(self) -> tuple[Probed, ...]:
        base = self.first.request.scopes
        return tuple(it for it in self.contrasts if it.request.scopes != base)


async def probe_authorization(ledger: Ledger, subject: Subject, identity: Identity) -> Asked | None:
    """Ask as a client would and, where that decides something, with one thing changed; None: not sent."""
    endpoint = subject.endpoint("authorization_endpoint")
    if endpoint is None:
        ledger.not_sent(_ID, "the metadata names no authorization endpoint")
        return None
    first = await _send(ledger, "", _request(ledger, subject, identity, endpoint))
    if first is None:
        return None
    contrasts: list[Probed] = []
    for changed, request in _contrasts(first, subject, fixed=identity.source.startswith("registration")):
        if len(contrasts) == _MOST_CONTRASTS:
            break
        probed = await _send(ledger, changed, request)
        if probed is None:
            break
        contrasts.append(probed)
        if not first.reply.accepted and first.reply.about != "redirect" and probed.reply.accepted:
            break  # the one thing that was changed is the one that was refused
    return Asked(first=first, contrasts=tuple(contrasts))


def _request(ledger: Ledger, subject: Subject, identity: Identity, endpoint: str) -> AuthorizationRequest:
    return AuthorizationRequest(
        endpoint=endpoint,
        client_id=identity.client_id,
        redirect_uri=loopback_forms(identity.redirect_uri)[0],
        state=made_up(ledger.ctx.random),
        verifier=made_up(ledger.ctx.random),
        resource=subject.resource,
        scopes=subject.scopes,
    )


async def _send(ledger: Ledger, changed: str, request: AuthorizationRequest) -> Probed | None:
    if not ledger.has_time():
        ledger.not_sent(_ID, "the step's time was over")
        return None
    answer = await ledger.wires.send("GET", request.url, headers=_HEADERS)
    reply = read_reply(answer, request, ledger.ctx.origin)
    ledger.sent(_ID, changed, f"{reply.kind}: {reply.detail}", reply.exchange)
    return Probed(changed=changed, request=request, reply=reply)


def _contrasts(first: Probed, subject: Subject, *, fixed: bool) -> Iterator[tuple[str, AuthorizationRequest]]:
    """What to send after the first reply. ``fixed``: the redirect URI is the one that was registered."""
    request, reply = first.request, first.reply
    if reply.kind in ("failed", "no answer") or reply.about == "client":
        return
    redirects = () if fixed else _redirect_forms(request)
    if reply.accepted or reply.kind == "elsewhere":
        yield from redirects
        yield from _left_out(request)
    elif reply.about == "redirect":
        yield from redirects
    elif reply.about == "resource":
        yield from _left_out(request)
    elif reply.about == "scope":
        yield from _scope_choices(request, subject)
    else:
        yield from _left_out(request)
        yield from _scope_choices(request, subject)
        yield from redirects


def _redirect_forms(request: AuthorizationRequest) -> tuple[tuple[str, AuthorizationRequest], ...]:
    forms = loopback_forms(request.redirect_uri)[1:]
    return tuple((f"redirect_uri={form}", request.to(form)) for form in forms)


def _left_out(request: AuthorizationRequest) -> Iterator[tuple[str, AuthorizationRequest]]:
    if request.resource is not None:
        yield "without resource", request.without_resource()


def _scope_choices(
    request: AuthorizationRequest, subject: Subject
) -> Iterator[tuple[str, AuthorizationRequest]]:
    tried = {request.scopes}
    kept = tuple(scope for scope in request.scopes if scope != OFFLINE)
    known = tuple(scope for scope in kept if scope in (subject.known_scopes or ()))
    choices = (
        (f"without {OFFLINE}", kept),
        ("only the scopes that the authorization server lists", known),
        ("without scopes", ()),
    )
    for changed, scopes in choices:
        if scopes not in tried and (scopes or changed == "without scopes"):
            tried.add(scopes)
            yield changed, request.asking(scopes)
