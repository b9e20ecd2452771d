"""Step 3: is it who it says?"""

from __future__ import annotations

import ssl

from diagnose.context import Context
from diagnose.step import Evidence, Fault, step
from diagnose.wire.sockets import secure
from diagnose.wire.trust import runtime_store
from diagnose_checks.facts import TcpFacts, TlsFacts

__all__ = ["tls_handshake"]


@step("tls", gives=TlsFacts, needs=(TcpFacts,), codes=("TLS",), on_timeout="TLS012", deadline=5)
async def tls_handshake(ctx: Context, tcp: TcpFacts) -> TlsFacts:
    """Complete a TLS handshake with the trust settings the runtime would use."""
    if ctx.origin.scheme == "http":
        ctx.not_applicable("plain HTTP")
        return TlsFacts(_stream=tcp._stream, _proxy=tcp._proxy)
    store = runtime_store(ctx.connector.network, ctx.environ)
    ctx.trust_store = store.label
    try:
        stream = await secure(tcp._stream, store.context, ctx.origin.host)
    except (ssl.SSLError, OSError) as problem:
        raise Fault("TLS001", Evidence(label="handshake", observed=str(problem))) from problem
    ctx.closing.push_async_callback(stream.aclose)
    peer = stream.ssl_object
    assert peer is not None
    cipher = peer.cipher()
    return TlsFacts(
        version=peer.version(),
        cipher=cipher[0] if cipher else None,
        alpn=peer.selected_alpn_protocol(),
        trust_store=store.label,
        _stream=stream,
        _proxy=tcp._proxy,
        _store=store,
    )
