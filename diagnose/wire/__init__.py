"""The one connection, stage by stage: resolver, sockets, TLS, HTTP, event streams, JSON-RPC."""
