"""The road of step 5, walked where a server turned somebody away or a credential came along.

From the challenge to the protected resource metadata to the authorization server metadata, as a client
walks before its first login, and every document held against the others. GET only, no credential, no
registration, no token request, unless ``--deep`` or ``--register`` asks for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from diagnose.context import Context
from diagnose.step import Evidence, Fault, Finding
from diagnose.wire.reach import Reach, reach_of
from diagnose_checks.authorization_servers import (
    Judged,
    judge_documents,
    judge_servers,
    severity_of,
    unlisted_issuer,
)
from diagnose_checks.challenge import Challenges, parse_challenges
from diagnose_checks.deep_ledger import Ledger, subject_of
from diagnose_checks.deep_probe import probe_server
from diagnose_checks.discovery_urls import legacy_server_metadata_url
from diagnose_checks.facts import AuthFacts, DnsFacts, HttpFacts
from diagnose_checks.identity_providers import advised
from diagnose_checks.legacy_clients import judge_legacy_clients
from diagnose_checks.metadata_fetch import Document, Reader
from diagnose_checks.open_endpoint import look_around
from diagnose_checks.presented import Presented
from diagnose_checks.registration import connecting_clients
from diagnose_checks.resource_metadata import (
    absence,
    earlier_faults,
    find_resource_metadata,
    is_absolute,
    judge_resource,
    servers_of,
)
from diagnose_checks.scope_lists import requested_scopes
from diagnose_checks.vetted_wires import VettedWires

__all__ = ["challenges_of", "walk_to_login"]

_LONGEST = 2048  # characters of an identifier that the facts keep

# What contradicts itself is wrong for whoever reads it; what is absent concerns only those who look for it.
_CONTRADICTIONS = frozenset(f"AUTH{number:03}" for number in (4, 6, 7, 8, 10, 12, 13, 14, 16, 24, 27, 36, 38))


@dataclass(slots=True, kw_only=True)
class _Walk:
    """What the walk has learned so far; findings in the order in which a client meets their causes."""

    challenges: Challenges
    endpoint: str
    reach: Reach
    asked: list[Mapping[str, Any]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    resource: Document | None = None
    server: Document | None = None
    judged: Judged | None = None
    probes: tuple[Mapping[str, Any], ...] = ()

    def add(self, subject: str, documents: Iterable[Document]) -> None:
        self.asked += [document.listed(subject) for document in documents]

    def take(self, judged: Judged, subject: str = "authorization server") -> None:
        """Make ``judged`` the server that the facts are about."""
        self.add(subject, judged.asked)
        for other in judged.others:
            self.add("another authorization server of the list", other.asked)
        self.server, self.judged = judged.document, judged
        self.findings += judged.findings


async def walk_to_login(ctx: Context, http: HttpFacts, dns: DnsFacts | None, shown: Presented) -> AuthFacts:
    """Walk from the challenge to the authorization server, as a client would before its first login."""
    addresses = dns._addresses if dns is not None and dns._proxy is None else None
    # A key in the query is a credential, not a part of the resource's name.
    endpoint = ctx.connector.url.partition("?")[0] if shown.kind == "query" else ctx.connector.url
    walk = _Walk(challenges=challenges_of(http), endpoint=endpoint, reach=reach_of(ctx.origin, addresses))
    reader = Reader(VettedWires(ctx, http._http, walk.reach))
    if not http.challenged:
        return await _accepted(ctx, reader, walk, shown)
    schemes = walk.challenges.schemes
    if schemes and walk.challenges.of("Bearer", "DPoP", "") is None:
        # Basic, Negotiate, a vendor's key scheme: the server says what it wants, and it is not OAuth.
        return _facts(walk, required=True)
    _judge_challenge(walk, http)
    await _walk(reader, walk, ctx)
    if (ctx.options.deep or ctx.options.register) and not shown.static:
        await _probe(reader, walk, ctx)
    return _conclude(ctx, walk, shown)


async def _probe(reader: Reader, walk: _Walk, ctx: Context) -> None:
    """--deep and --register: what the authorization server really answers, beside what its document says."""
    if walk.server is None or walk.judged is None:
        return
    subject = subject_of(ctx, walk.endpoint, walk.challenges, walk.resource, walk.server)
    probed = await probe_server(Ledger(ctx=ctx, wires=reader.wires), subject, walk.findings)
    walk.findings, walk.probes = advised(probed.findings, walk.judged.provider), probed.probes


def challenges_of(http: HttpFacts) -> Challenges:
    """Every challenge of the answer to the first request."""
    pairs = http._opening.exchange.response_headers
    return parse_challenges(value for name, value in pairs if name.lower() == "www-authenticate")


async def _accepted(ctx: Context, reader: Reader, walk: _Walk, shown: Presented) -> AuthFacts:
    """Nobody was turned away: look at what an OAuth client would read, and at nothing else."""
    if ctx.options.deep and shown.kind in ("none", "query"):
        # A key in the URL is no credential to a client that looks for OAuth: it sees an open endpoint.
        around = await look_around(reader, walk.endpoint)
        for subject, document in around.asked:
            walk.add(subject, (document,))
        for finding in around.findings:
            ctx.add(finding)
        return _facts(walk, required=False if shown.kind == "none" else None)
    if shown.kind == "none":
        return AuthFacts(required=False)
    if shown.kind in ("bearer", "oauth2"):
        documents = await find_resource_metadata(reader, walk.endpoint, None)
        walk.add("resource", documents)
        if documents[-1].outcome == "found":
            walk.resource = documents[-1]
            found = judge_resource(walk.resource, walk.endpoint)
            found += unlisted_issuer(ctx.connector, walk.resource, servers_of(walk.resource.value))
            _warn_of_contradiction(ctx, found)
            if not found and shown.kind == "oauth2" and (ctx.options.deep or ctx.options.register):
                await _beyond_the_token(ctx, reader, walk, walk.resource)
    return _facts(walk, required=None)


async def _beyond_the_token(ctx: Context, reader: Reader, walk: _Walk, resource: Document) -> None:
    """The token is good; would the next login be? Nothing that is found here is worse than a warning."""
    servers = servers_of(resource.value)
    if not servers or not is_absolute(servers[0]):
        return
    walk.take(await judge_servers(reader, ctx, walk.reach, walk.challenges, resource, servers))
    await _probe(reader, walk, ctx)
    for finding in walk.findings:
        ctx.add(replace(finding, severity="warning") if severity_of(finding) == "error" else finding)


def _judge_challenge(walk: _Walk, http: HttpFacts) -> None:
    problems = list(walk.challenges.problems)
    named = walk.challenges.parameter("resource_metadata")
    if named is not None and not is_absolute(named):
        problems.append("resource_metadata is no absolute URL")
    if not problems:
        return
    exchange = http._opening.exchange
    raw = [value for name, value in exchange.response_headers if name.lower() == "www-authenticate"]
    evidence = Evidence(
        label="WWW-Authenticate",
        expected='Bearer resource_metadata="https://..."',
        observed="\n".join(raw)[:1000],
        exchange=exchange.id,
    )
    walk.findings.append(
        Finding(
            code="AUTH023",
            args={"problems": "; ".join(problems)},
            evidence=(evidence,),
            where="WWW-Authenticate",
            exchange=exchange.id,
        )
    )


async def _walk(reader: Reader, walk: _Walk, ctx: Context) -> None:
    named = walk.challenges.parameter("resource_metadata")
    named = named if named is not None and is_absolute(named) else None
    documents = await find_resource_metadata(reader, walk.endpoint, named)
    walk.add("resource", documents)
    if documents[-1].outcome != "found":
        await _without_resource(reader, walk, ctx, documents, named=named is not None)
        return
    walk.resource = documents[-1]
    walk.findings += earlier_faults(documents, named=named is not None)
    if not walk.challenges.found:
        found_at = Evidence(label="WWW-Authenticate", expected="a Bearer challenge", observed="absent")
        walk.findings.append(
            Finding(code="AUTH003", args={"document_url": walk.resource.url}, evidence=(found_at,))
        )
    walk.findings += judge_resource(walk.resource, walk.endpoint)
    servers = servers_of(walk.resource.value)
    if servers and is_absolute(servers[0]):
        walk.take(await judge_servers(reader, ctx, walk.reach, walk.challenges, walk.resource, servers))
        if ctx.options.deep:
            walk.findings += await judge_legacy_clients(reader, walk.endpoint, servers[0])


async def _without_resource(
    reader: Reader, walk: _Walk, ctx: Context, documents: tuple[Document, ...], *, named: bool
) -> None:
    """No protected resource metadata: 2025-03-26 had none, and looked at the root of the MCP host."""
    missing = absence(documents, walk.challenges, named=named)
    if missing.code not in ("AUTH001", "AUTH002"):
        walk.findings.append(missing)
        return
    legacy = await reader.get(legacy_server_metadata_url(walk.endpoint))
    if legacy.outcome != "found":
        walk.add("authorization server (2025-03-26)", (legacy,))
        walk.findings.append(missing)
        return
    evidence = (legacy.evidence("authorization server metadata"), *missing.evidence)
    walk.findings.append(
        Finding(
            code="AUTH021",
            args={"document_url": legacy.url},
            evidence=evidence,
            where=legacy.url,
            exchange=legacy.exchange,
        )
    )
    judged = judge_documents(ctx, walk.reach, walk.challenges, None, (legacy,), None)
    walk.take(judged, "authorization server (2025-03-26)")


def _conclude(ctx: Context, walk: _Walk, shown: Presented) -> AuthFacts:
    facts = _facts(walk, required=True)
    if shown.static:
        _warn_of_contradiction(ctx, walk.findings)
        return facts
    errors = [finding for finding in walk.findings if severity_of(finding) == "error"]
    for finding in walk.findings:
        if not errors or finding is not errors[0]:
            ctx.add(finding)
    if errors:
        # Without a credential there is nothing that step 6 could judge on its own.
        handed_on = facts if shown.kind != "none" else None
        raise Fault.of(errors[0], facts=handed_on, shown=facts)
    return facts


def _warn_of_contradiction(ctx: Context, findings: Iterable[Finding]) -> None:
    """One warning at most: this connector's credential does not come from these documents."""
    first = next((finding for finding in findings if finding.code in _CONTRADICTIONS), None)
    if first is not None:
        ctx.add(replace(first, severity="warning"))


def _facts(walk: _Walk, *, required: bool | None) -> AuthFacts:
    challenge = next(iter(walk.challenges.found), None)
    chosen = walk.challenges.of("Bearer", "DPoP") or challenge
    resource = walk.resource.value if walk.resource else {}
    server = walk.server.value if walk.server else {}
    provider = walk.judged.provider if walk.judged else None
    routes = walk.judged.routes if walk.judged else None
    can, cannot = connecting_clients(routes) if routes is not None else (None, None)
    methods = server.get("code_challenge_methods_supported")
    scopes, _ = requested_scopes(walk.challenges, resource)
    named = resource.get("resource")
    issuer = server.get("issuer")
    return AuthFacts(
        required=required,
        scheme=chosen.scheme or None if chosen else None,
        challenge=dict(chosen.params) if chosen else None,
        resource_metadata_url=walk.resource.url if walk.resource else None,
        resource=named[:_LONGEST] if isinstance(named, str) else None,
        authorization_servers=servers_of(resource) or None,
        issuer=issuer[:_LONGEST] if isinstance(issuer, str) else None,
        metadata_url=walk.server.url if walk.server else None,
        scopes=scopes,
        registration=routes,
        can_connect=can,
        cannot_connect=cannot or None,
        identity_provider=provider.name if provider else None,
        pkce=tuple(str(method)[:40] for method in methods[:20]) if isinstance(methods, list) else None,
        candidates=tuple(walk.asked) or None,
        probes=walk.probes or None,
        _resource_metadata=resource or None,
        _server_metadata=server or None,
    )
