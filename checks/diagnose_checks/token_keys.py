"""A refused JWT against the keys that its issuer publishes: is the token wrong, or the server's view of it?

One GET, on the failure path alone, of the ``jwks_uri`` in metadata that step 5 has read; vetted like every
URL that a server names.
"""

from __future__ import annotations

from dataclasses import replace

from diagnose.records import record
from diagnose.step import Evidence, Finding
from diagnose_checks.difference import clipped
from diagnose_checks.facts import AuthFacts
from diagnose_checks.key_set import KeyProof, prove_key
from diagnose_checks.metadata_fetch import Reader
from diagnose_checks.refusal import Refusal
from diagnose_checks.token_causes import KEY_WORDS
from diagnose_checks.vetted_wires import VettedWires

__all__ = ["KeyVerdict", "judge_keys"]


@record
class KeyVerdict:
    """A finding, or what is left to say where none is proven: a ``clue``, and what was ``cleared``."""

    finding: Finding | None = None
    evidence: tuple[Evidence, ...] = ()
    clue: str | None = None
    cleared: tuple[str, ...] = ()


async def judge_keys(wires: VettedWires, auth: AuthFacts, refusal: Refusal) -> KeyVerdict:
    """Fetch the key set and verify. Nothing is raised for what a server does."""
    algorithm, token = refusal.reading.header.get("alg"), refusal.shown.token
    unsigned = isinstance(algorithm, str) and algorithm.lower() == "none"
    if refusal.reading.form != "jwt" or token is None or unsigned:
        return KeyVerdict()
    issuer = refusal.reading.text("iss")
    if issuer is not None and auth.issuer is not None and issuer != auth.issuer:
        return KeyVerdict(clue=f"its issuer {clipped(issuer)} is not the one whose metadata was read")
    named = (auth._server_metadata or {}).get("jwks_uri")
    if not isinstance(named, str):
        if auth._server_metadata is None:
            return KeyVerdict()
        return KeyVerdict(clue="its signature is not checked: the issuer's metadata names no jwks_uri")
    document = await Reader(wires).get(named)
    if document.outcome != "found":
        return KeyVerdict(
            evidence=(document.evidence("the issuer's key set", expected="200 with a JSON Web Key Set"),),
            clue="its signature is not checked: the issuer's key set gives no answer to use"
            f" ({named}: {document.detail})",
        )
    proof = prove_key(token, refusal.reading, document.value)
    evidence = Evidence(
        label="the issuer's key set",
        expected=f"the key {proof.key}" if proof.key is not None else "a key that verifies the token",
        observed=f"{proof.words}; keys: {', '.join(proof.published) or 'none with an id'}",
        where=named,
        exchange=document.exchange,
    )
    return _verdict(refusal, proof, evidence, named, auth.issuer or issuer or "its issuer")


def _verdict(refusal: Refusal, proof: KeyProof, evidence: Evidence, url: str, issuer: str) -> KeyVerdict:
    args = {
        "issuer": issuer,
        "jwks": url,
        "key": proof.key or "without an id",
        "proof": proof.words,
        "published": ", ".join(proof.published) or "none",
    }
    if proof.outcome == "unknown key":
        return KeyVerdict(finding=refusal.finding("TOK017", evidence, **args))
    if proof.outcome == "wrong signature":
        return KeyVerdict(finding=refusal.finding("TOK019", evidence, **args))
    if proof.outcome == "unusable":
        return KeyVerdict(evidence=(evidence,), clue=f"its signature is not checked: {proof.words}")
    if refusal.says(*KEY_WORDS):
        cleared = (f"the token is signed by its issuer: {proof.words}",)
        return KeyVerdict(finding=replace(refusal.finding("TOK018", evidence, **args), ruled_out=cleared))
    clue = (
        f"{proof.words}, which its issuer publishes at {url}; so the token is genuine, and it was revoked, or"
        " the server verifies with other keys, expects other claims, or admits only clients on a list"
    )
    return KeyVerdict(evidence=(evidence,), clue=clue, cleared=(f"{proof.words}, which {issuer} publishes",))
