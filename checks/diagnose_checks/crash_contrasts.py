"""A 5xx to a request with a credential: does the server itself fail, or what judges credentials there?

Two contrasts: the same without the credential, and with a made-up one of the same form. A refusal of the
first alone proves nothing, because a server may also fail behind the door that a good credential opens.
"""

from __future__ import annotations

from dataclasses import replace

from diagnose.step import Evidence, Fault
from diagnose_checks.enforcement import made_up
from diagnose_checks.facts import Crash
from diagnose_checks.http_faults import fault_of, gateway_words
from diagnose_checks.http_outcome import Outcome, status_line
from diagnose_checks.http_probe import Probe
from diagnose_checks.presented import presented

__all__ = ["NOTHING_EXPLAINS", "server_error"]

NOTHING_EXPLAINS = "nothing in the request explains it"


async def server_error(probe: Probe, refused: Outcome) -> Fault | Outcome:
    """HTTP016, or the outcome without the credential where the credential is what the server fails over."""
    if not probe.ctx.connector.authorize(probe.url, probe.ctx.environ).secrets():
        return fault_of("HTTP016", refused, proof=NOTHING_EXPLAINS)
    without = await probe.contrast(credential=False)
    evidence: tuple[Evidence, ...] = (
        without.evidence("the same without the credential", "the same 5xx, were it not the credential"),
    )
    if without.status is not None and without.status >= 500:
        proof = f"{NOTHING_EXPLAINS}: without the credential it is {without.summary}"
        return fault_of("HTTP016", refused, *evidence, proof=proof)
    if without.reachable and not without.challenged:
        words = f"without the credential the same request is answered ({without.summary})"
        return _over_credentials(refused, without, evidence, words)
    invented = await _made_up(probe) if without.challenged else None
    if invented is None or invented.reply is None:
        proof = (
            f"without the credential it is {without.summary}, so it fails over the credential or behind it"
        )
        return fault_of("HTTP016", refused, *evidence, confidence="likely", proof=proof)
    evidence = (*evidence, invented.evidence("the same with a made-up credential", "HTTP 401"))
    if invented.status is not None and invented.status >= 500:
        words = (
            f"without a credential it is {without.summary}, and with one that nobody issued it is"
            f" {invented.summary} too"
        )
        return _over_credentials(refused, without, evidence, words)
    proof = (
        f"a made-up credential gets {invented.summary}, so it fails over this very credential or behind"
        " the door that this one opens"
    )
    return fault_of("HTTP016", refused, *evidence, confidence="likely", proof=proof)


async def _made_up(probe: Probe) -> Outcome | None:
    shown = presented(probe.ctx.connector, probe.ctx.environ)
    if shown.name is None or shown.token is None or shown.kind == "query":
        return None
    invented = made_up(shown, probe.ctx.random)
    probe.ctx.redactor.register(invented)
    value = f"{shown.scheme} {invented}" if shown.scheme is not None else invented
    return await probe.contrast(credential=False, headers={shown.name: value})


def _over_credentials(
    refused: Outcome, without: Outcome, contrasts: tuple[Evidence, ...], proof: str
) -> Outcome:
    """Step 6 owns what comes of a credential; step 5 goes on with the challenge."""
    exchange = refused.exchange
    assert exchange is not None
    first = refused.evidence("the first request, with the credential", "accepted, or HTTP 401")
    crash = Crash(
        status=status_line(exchange),
        proof=proof,
        server=gateway_words(refused),
        evidence=(first, *contrasts),
        where=refused.url,
        exchange=exchange.id,
    )
    return replace(without, crash=crash)
