"""Which of the listed authorization servers a client takes, and whether that one can be used.

Clients take the first of the list, whatever the others are like; a credential that names its issuer belongs
to that one and to no other (MCP authorization, authorization server binding).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from diagnose.catalogue import page
from diagnose.connector import Connector, OAuth2Credential
from diagnose.connector.credential import NoCredential
from diagnose.context import Context
from diagnose.records import record
from diagnose.step import Evidence, Finding
from diagnose.wire.reach import Reach
from diagnose_checks.challenge import Challenges
from diagnose_checks.discovery_urls import canonical
from diagnose_checks.grants import judge_client, judge_person
from diagnose_checks.identity_providers import Provider, advised, recognised
from diagnose_checks.metadata_fetch import Document, Reader
from diagnose_checks.registration import judge_registration, registration_routes
from diagnose_checks.resource_metadata import is_absolute
from diagnose_checks.scope_lists import judge_scopes
from diagnose_checks.server_metadata import (
    find_server_metadata,
    judge_server,
    server_absence,
    server_earlier_faults,
)

__all__ = ["Judged", "judge_documents", "judge_servers", "severity_of", "unlisted_issuer"]

_MOST_WALKED = 5
_ENOUGH = 2.0
"""Seconds without which no contrast is begun: a deadline must not take the place of the first error."""


@record
class Judged:
    """One authorization server: what was asked, the document that was found, and what is wrong with it."""

    issuer: str | None
    asked: tuple[Document, ...]
    document: Document | None = None
    routes: Mapping[str, bool] | None = None
    provider: Provider | None = None
    findings: tuple[Finding, ...] = ()
    others: tuple[Judged, ...] = ()
    """Further servers of the list, walked because this one cannot be used."""

    @property
    def error(self) -> Finding | None:
        return next((finding for finding in self.findings if severity_of(finding) == "error"), None)


def severity_of(finding: Finding) -> str:
    """The severity of this instance, else that of its page."""
    return finding.severity or page(finding.code).severity


async def judge_servers(
    reader: Reader,
    ctx: Context,
    reach: Reach,
    challenges: Challenges,
    resource: Document,
    servers: Sequence[str],
) -> Judged:
    """Walk to the server that this connector takes; to the others only where that one cannot be used."""
    bound = _bound_to(ctx.connector)
    own = next((server for server in servers if bound and canonical(server) == canonical(bound)), None)
    taken = await _walked(reader, ctx, reach, challenges, resource, own or servers[0])
    unlisted = unlisted_issuer(ctx.connector, resource, servers)
    taken = replace(taken, findings=(*unlisted, *taken.findings))
    broken = taken.error
    if own is not None or unlisted or broken is None:
        return taken
    others: list[Judged] = []
    for issuer in servers[1:_MOST_WALKED]:
        if ctx.time_left() < _ENOUGH:
            break
        if issuer == servers[0] or not is_absolute(issuer):
            continue
        others.append(await _walked(reader, ctx, reach, challenges, resource, issuer))
        if others[-1].error is None:
            return _contrasted(taken, broken, tuple(others), resource)
    return replace(taken, others=tuple(others))


def unlisted_issuer(connector: Connector, resource: Document, servers: Sequence[str]) -> list[Finding]:
    """AUTH027: the credential belongs to an issuer that this server does not accept tokens of."""
    bound = _bound_to(connector)
    if bound is None or not servers or canonical(bound) in {canonical(server) for server in servers}:
        return []
    listed = " ".join(servers)
    evidence = Evidence(
        label="/authorization_servers",
        expected=bound,
        observed=listed,
        where=resource.url,
        exchange=resource.exchange,
    )
    return [
        Finding(
            code="AUTH027",
            args={"issuer": bound, "listed": listed, "document_url": resource.url},
            evidence=(evidence,),
            where=f"{resource.url}#/authorization_servers",
            exchange=resource.exchange,
        )
    ]


def judge_documents(
    ctx: Context,
    reach: Reach,
    challenges: Challenges,
    resource: Document | None,
    asked: tuple[Document, ...],
    issuer: str | None,
) -> Judged:
    """What the candidates of one server gave; ``issuer`` None leaves its identity out (2025-03-26)."""
    if asked[-1].outcome != "found":
        provider = recognised({"issuer": issuer}) if issuer else None
        absence = server_absence(asked, issuer or asked[-1].url)
        return Judged(
            issuer=issuer, asked=asked, provider=provider, findings=tuple(advised([absence], provider))
        )
    document = asked[-1]
    routes = registration_routes(ctx.connector, document.value)
    provider = recognised(document.value) or recognised({"issuer": issuer})
    credential = ctx.connector.credential
    found = server_earlier_faults(asked)
    found += judge_server(document, issuer, ctx.origin, reach)
    found += judge_registration(document, routes, credential)
    if isinstance(credential, NoCredential):
        found += judge_person(document)
    elif isinstance(credential, OAuth2Credential) and _is_for(credential, issuer):
        found += judge_client(document, credential)
    found += judge_scopes(challenges, resource, document)
    return Judged(
        issuer=issuer,
        asked=asked,
        document=document,
        routes=routes,
        provider=provider,
        findings=tuple(advised(found, provider)),
    )


async def _walked(
    reader: Reader, ctx: Context, reach: Reach, challenges: Challenges, resource: Document, issuer: str
) -> Judged:
    # The issuer itself is judged before URLs are built from it: "file:///etc" has no well-known place.
    why = reach.refuse_url(issuer)
    if why is not None:
        refused = Document(url=issuer, outcome="refused", detail=f"not fetched: {why}")
        asked: tuple[Document, ...] = (refused,)
    else:
        asked = await find_server_metadata(reader, issuer)
    return judge_documents(ctx, reach, challenges, resource, asked, issuer)


def _contrasted(taken: Judged, broken: Finding, others: tuple[Judged, ...], resource: Document) -> Judged:
    """The same walk with another entry of the list works: so the order is what fails clients."""
    good = others[-1]
    assert good.document is not None
    contrast = good.document.evidence("another authorization server of the list, judged the same way")
    proven = replace(broken, evidence=(*broken.evidence, contrast))
    args = {"first": taken.issuer, "good": good.issuer, "document_url": resource.url, "code": broken.code}
    order = Evidence(
        label="/authorization_servers/0",
        expected=good.issuer,
        observed=taken.issuer,
        where=resource.url,
        exchange=resource.exchange,
    )
    note = Finding(
        code="AUTH028",
        args=args,
        evidence=(order, contrast),
        where=f"{resource.url}#/authorization_servers/0",
        exchange=resource.exchange,
    )
    findings = tuple(proven if finding is broken else finding for finding in taken.findings)
    return replace(taken, findings=(*findings, note), others=others)


def _bound_to(connector: Connector) -> str | None:
    """The issuer of the connector's credential. A client ID metadata document is nobody's: it is portable."""
    credential = connector.credential
    if not isinstance(credential, OAuth2Credential) or credential.issuer is None:
        return None
    portable = credential.client_id_metadata_url is not None and credential.client_id in (
        None,
        credential.client_id_metadata_url,
    )
    return None if portable and credential.access_token is None else credential.issuer


def _is_for(credential: OAuth2Credential, issuer: str | None) -> bool:
    return credential.issuer is None or (
        issuer is not None and canonical(credential.issuer) == canonical(issuer)
    )
