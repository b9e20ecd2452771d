"""``--deep`` and ``--register`` at the authorization server: what is asked, in which order, and the verdicts.

A registration comes first, because its client can then ask where the connector has no client id; it is
removed last, also when something in between ends early.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from diagnose.connector import OAuth2Credential
from diagnose.records import record
from diagnose.step import Evidence, Finding
from diagnose_checks.authorization_probe import Asked, probe_authorization
from diagnose_checks.authorization_servers import severity_of
from diagnose_checks.authorization_verdict import judge_authorization, shown
from diagnose_checks.client_identity import Identity, identity_of
from diagnose_checks.deep_ledger import Ledger, Subject
from diagnose_checks.registration_probe import Registered, probe_registration, remove_clients
from diagnose_checks.registration_verdict import judge_registrations, left_behind
from diagnose_checks.token_probe import TokenAsked, probe_token
from diagnose_checks.token_verdict import judge_client, judge_token, told

__all__ = ["Outcome", "probe_server"]

# Read out of documents: what the server really answers to the same scopes and resource outweighs them.
_PREDICTIONS = frozenset(("AUTH017", "AUTH024", "AUTH026"))


@record
class _Answers:
    client: Identity | None = None
    asked: Asked | None = None
    token: TokenAsked | None = None


@record
class Outcome:
    """The step's findings with those of the probes among them, and every probe for the facts."""

    findings: list[Finding]
    probes: tuple[Mapping[str, Any], ...]


async def probe_server(ledger: Ledger, subject: Subject, predicted: list[Finding]) -> Outcome:
    """Ask what ``--deep`` and ``--register`` allow. ``predicted`` are the findings of the documents."""
    options = ledger.ctx.options
    broken = [it.code for it in predicted if severity_of(it) == "error" and it.code != "AUTH015"]
    if broken:
        why = f"no client gets as far, because of {', '.join(broken)}"
        for id in ("authorization request", "token request") if options.deep else ("registration",):
            ledger.not_sent(id, why)
        return Outcome(findings=predicted, probes=tuple(ledger.entries))
    documents = subject.server.get("client_id_metadata_document_supported") is True
    identity = identity_of(ledger.ctx, subject.issuer, documents=documents)
    registered = await _register(ledger, subject, identity) if options.register else None
    answers = _Answers()
    try:
        if options.deep:
            answers = await _ask(ledger, subject, identity, registered)
    finally:
        if registered is not None:
            await remove_clients(ledger, registered)
    findings = _proven(answers, registered, subject)
    if registered is not None:
        alone = not isinstance(identity, Identity) and not documents
        findings += judge_registrations(registered, subject, only_route=alone)
    codes = {it.code for it in findings}
    findings = [it for it in _weighed(predicted, answers.asked) if it.code not in codes] + findings
    if all(severity_of(it) == "info" for it in findings):
        findings += _nothing_wrong(subject, answers)
    if registered is not None:
        findings += left_behind(registered, subject)
    return Outcome(findings=findings, probes=tuple(ledger.entries))


async def _register(ledger: Ledger, subject: Subject, identity: Identity | str) -> Registered | None:
    credential = ledger.ctx.connector.credential
    redirect = identity.redirect_uri if isinstance(identity, Identity) else None
    if redirect is None and isinstance(credential, OAuth2Credential):
        redirect = credential.redirect_uri
    return await probe_registration(ledger, subject, redirect)


async def _ask(
    ledger: Ledger, subject: Subject, identity: Identity | str, registered: Registered | None
) -> _Answers:
    own = identity if isinstance(identity, Identity) else None
    client = own or (registered.identity if registered is not None else None)
    asked: Asked | None = None
    if client is not None:
        asked = await probe_authorization(ledger, subject, client)
    else:
        ledger.not_sent("authorization request", str(identity))
    return _Answers(client=client, asked=asked, token=await probe_token(ledger, subject, client))


def _proven(answers: _Answers, registered: Registered | None, subject: Subject) -> list[Finding]:
    """What the answers prove, each code once: both endpoints may refuse the same resource."""
    client, asked, token = answers.client, answers.asked, answers.token
    findings: list[Finding] = []
    if client is not None and asked is not None:
        findings += judge_authorization(asked, subject, client)
    if token is not None:
        findings += judge_token(token, subject)
    if client is not None:
        findings += judge_client(asked, token, registered, client, subject)
    once: dict[str, Finding] = {}
    for finding in findings:
        once.setdefault(finding.code, finding)
    return list(once.values())


def _weighed(predicted: Iterable[Finding], asked: Asked | None) -> list[Finding]:
    """A prediction that the server's own approval refutes becomes a note, with the approval as evidence."""
    approved = asked is not None and asked.first.reply.kind == "approved"
    if asked is None or not approved:
        return list(predicted)
    proof = shown(asked.first)
    return [
        replace(it, severity="info", confidence="possible", evidence=(*it.evidence, proof))
        if it.code in _PREDICTIONS
        else it
        for it in predicted
    ]


def _nothing_wrong(subject: Subject, answers: _Answers) -> list[Finding]:
    """FF-082, FF-087, FF-116: all that can be checked from here is in order, so whom to ask what."""
    asked, token = answers.asked, answers.token
    if token is None or token.first.kind != "error":
        return []
    evidence: list[Evidence] = []
    if asked is not None:
        evidence.append(shown(asked.first, expected="accepted"))
    label = "the answer to a made-up code"
    evidence.append(told(token.first, label, expected="an OAuth error in JSON", where=token.endpoint))
    ruled_out = [
        "discovery: every document is found, is JSON and agrees with the others",
        "PKCE: S256 is advertised",
        f"token endpoint: {token.endpoint} is reached over a valid connection and answers in JSON",
    ]
    if asked is not None:
        ruled_out.append(f"authorization request: {asked.first.reply.detail}")
    tried = answers.client is not None
    open_end = "the login itself" if tried else "the authorization request, for want of a client id"
    return [
        Finding(
            code="AUTH054",
            args={"issuer": subject.issuer, "unseen": open_end},
            evidence=tuple(evidence),
            confidence="possible",
            ruled_out=tuple(ruled_out),
            where=subject.document_url,
            exchange=token.first.exchange,
        )
    ]
