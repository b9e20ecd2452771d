"""The facts that are compared, as a table; what is not in it is drawn anew for each run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from diagnose.comparison.model import Change
from diagnose.comparison.values import leaves, shown
from diagnose.model import Report
from diagnose.records import record

__all__ = ["compared_facts"]


@record
class _Row:
    """A fact with the words it is shown with. ``each``: every leaf of it is a difference of its own."""

    group: str
    label: str
    step: str
    path: tuple[str, ...]
    each: bool = False
    note: str | None = None


def _rows(group: str, step: str, **labels: str) -> tuple[_Row, ...]:
    return tuple(
        _Row(group=group, label=label, step=step, path=tuple(path.split("__")))
        for path, label in labels.items()
    )


# A credential that is accepted at once leaves nothing to discover: then absence says nothing of the server.
_LOOK_WHEN_THEY_MUST = ("auth_discovery",)
_READ_THEM = "a server's instructions go into the model's prompt: read them before you trust them again"

_ROWS: tuple[_Row, ...] = (
    *_rows("addresses", "dns", addresses="addresses of the host", program="program", proxy="proxy"),
    *_rows("certificate", "tls", fingerprint_sha256="fingerprint (SHA-256)", subject="subject"),
    *_rows("certificate", "tls", issuer="issuer", names="names", not_before="valid from"),
    *_rows("certificate", "tls", not_after="valid until", version="TLS version", cipher="cipher"),
    *_rows("protocol", "http_reachability", transport="transport"),
    *_rows("protocol", "mcp_initialize", era="era", protocol_version="protocol version"),
    *_rows("protocol", "mcp_initialize", supported_versions="versions that the server speaks"),
    *_rows("protocol", "session_open", session="session"),
    *_rows("server", "mcp_initialize", server_name="name", server_title="title"),
    *_rows("server", "mcp_initialize", server_version="version", sdk="SDK"),
    _Row(
        group="server",
        label="instructions",
        step="mcp_initialize",
        path=("instructions",),
        note=_READ_THEM,
    ),
    *_rows("server", "http_reachability", server="header Server"),
    _Row(
        group="capabilities",
        label="",
        step="mcp_initialize",
        path=("capabilities",),
        each=True,
    ),
    *_rows("authentication", "auth_discovery", required="required", scheme="scheme"),
    *_rows("authentication", "auth_discovery", issuer="authorization server", resource="resource"),
    *_rows("authentication", "auth_discovery", authorization_servers="authorization servers"),
    *_rows("authentication", "auth_discovery", scopes="scopes asked for", pkce="PKCE methods"),
    *_rows("authentication", "auth_discovery", identity_provider="identity provider"),
    _Row(
        group="authentication",
        label="registration",
        step="auth_discovery",
        path=("registration",),
        each=True,
    ),
    *_rows("authentication", "token_validity", credential__type="credential", credential__sent_in="sent in"),
    *_rows("authentication", "token_validity", credential__grant_type="grant", claims__iss="token issuer"),
    *_rows("authentication", "token_validity", claims__aud="token audience"),
    *_rows("authentication", "token_validity", scopes_granted="scopes granted"),
    *_rows("sample call", "sample_call", tool="tool", is_error="is an error"),
    *_rows("sample call", "sample_call", content_types="content types"),
    *_rows("sample call", "sample_call", structured_content="structured content"),
)

_ENVIRONMENT: Mapping[str, str] = {
    "python": "Python",
    "openssl": "OpenSSL",
    "platform": "system",
    "mcp": "mcp",
    "httpx2": "httpx2",
    "trust_store": "trust store",
}


def compared_facts(before: Report, after: Report) -> Iterator[Change]:
    """The differences of facts, of the connector's definition and of the machine."""
    yield from _connector(before, after)
    for row in _ROWS:
        yield from _compared(row, before, after)
    yield from _peer(before, after)
    yield from _environment(before, after)


def _compared(row: _Row, before: Report, after: Report) -> Iterator[Change]:
    first, second = _fact(before, row), _fact(after, row)
    if not _comparable(before, after, row.step, first, second):
        return
    if row.each:
        ours, theirs = dict(leaves(first or {}, row.label)), dict(leaves(second or {}, row.label))
        pairs = [(name, ours.get(name), theirs.get(name)) for name in sorted({*ours, *theirs} - {row.label})]
    else:
        pairs = [(row.label, shown(first), shown(second))]
    for label, one, other in pairs:
        if one != other:
            yield Change(
                group=row.group,
                label=label.removeprefix("/"),
                before=one,
                after=other,
                step=row.step,
                note=row.note,
            )


def _fact(report: Report, row: _Row) -> Any:
    value: Any = report.step(row.step).facts
    for name in row.path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _comparable(before: Report, after: Report, step: str, first: object, second: object) -> bool:
    """Whether both runs could see the fact: one that a step did not reach is no difference."""
    if first is not None and second is not None:
        return True
    if step in _LOOK_WHEN_THEY_MUST:
        return False
    statuses = {report.step(step).status for report in (before, after)}
    return statuses <= {"passed", "warned"}


def _connector(before: Report, after: Report) -> Iterator[Change]:
    one, other = before.connector, after.connector
    pairs = {
        "name": (one.name, other.name),
        "URL": (one.url, other.url),
        "command": (_joined(one.command), _joined(other.command)),
        "problems of its definition": (
            shown([problem.code for problem in one.problems]),
            shown([problem.code for problem in other.problems]),
        ),
    }
    for label, (ours, theirs) in pairs.items():
        if ours != theirs:
            yield Change(group="connector", label=label, before=ours, after=theirs)


def _joined(words: list[str] | None) -> str | None:
    return None if words is None else " ".join(words)


def _peer(before: Report, after: Report) -> Iterator[Change]:
    """Another address was connected to, and not because the name servers list several in turn."""
    addresses = [set(map(str, report.step("dns").facts.get("addresses") or ())) for report in (before, after)]
    peers = [_host(report.step("tcp").facts.get("peer")) for report in (before, after)]
    if None in peers or peers[0] == peers[1] or addresses[0] != addresses[1] or set(peers) <= addresses[0]:
        return
    yield Change(group="addresses", label="connected to", before=peers[0], after=peers[1], step="tcp")


def _host(peer: object) -> str | None:
    """The address of a peer without its port, which is part of the URL."""
    return peer.rpartition(":")[0] if isinstance(peer, str) and ":" in peer else None


def _environment(before: Report, after: Report) -> Iterator[Change]:
    pairs = [
        (label, getattr(before.environment, name), getattr(after.environment, name))
        for name, label in _ENVIRONMENT.items()
    ]
    proxies = (before.environment.proxies, after.environment.proxies)
    pairs += [
        (f"proxy {name}", proxies[0].get(name), proxies[1].get(name))
        for name in sorted({*proxies[0], *proxies[1]})
    ]
    pairs.append((before.tool.name, before.tool.version, after.tool.version))
    for label, ours, theirs in pairs:
        unknown = label == "trust store" and None in (ours, theirs)  # a run that opened no TLS connection
        if ours != theirs and not unknown:
            yield Change(group="environment", label=label, before=ours, after=theirs)
