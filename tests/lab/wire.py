"""Plain requests to a running scenario, and scenarios made of a few lines of TOML."""

from __future__ import annotations

import json
import socket
import ssl
from typing import Any

import httpx2
from diagnose_lab import Running, Scenario
from diagnose_lab.scenario import parse

MODERN = 'title = "t"\ntransport = "streamable-http"\nera = "modern"\n'
LEGACY = 'title = "t"\ntransport = "streamable-http"\nera = "legacy"\n'
_META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "0"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
BOTH = "application/json, text/event-stream"


def scenario(toml: str, *, head: str = MODERN) -> Scenario:
    return parse(head + toml, name="made-up")


def option(running: Running, name: str) -> str | None:
    """The value of a command line option the scenario gives its client."""
    return dict(zip(running.args, running.args[1:], strict=False)).get(name)


def trust(running: Running) -> ssl.SSLContext | bool:
    bundle = option(running, "--ca-bundle")
    return ssl.create_default_context(cafile=bundle) if bundle else False


def client(running: Running, **more: Any) -> httpx2.Client:
    """An HTTP client as the scenario's options describe it, without the credential."""
    settings = {
        "verify": trust(running),
        "proxy": option(running, "--proxy"),
        "trust_env": False,
        "timeout": 5,
    }
    return httpx2.Client(**(settings | more))


def modern_request(method: str, params: dict[str, Any] | None = None, identifier: int = 1) -> dict[str, Any]:
    return {
        "jsonrpc": "2.0",
        "id": identifier,
        "method": method,
        "params": {**(params or {}), "_meta": _META},
    }


def modern_headers(message: dict[str, Any]) -> dict[str, str]:
    headers = {"accept": BOTH, "mcp-protocol-version": "2026-07-28", "mcp-method": message["method"]}
    return headers | ({"mcp-name": message["params"]["name"]} if "name" in message["params"] else {})


def ask(
    running: Running, method: str = "server/discover", params: dict[str, Any] | None = None, **headers: str
) -> httpx2.Response:
    """One modern request on a connection of its own."""
    message = modern_request(method, params)
    with client(running) as http:
        return http.post(running.url, json=message, headers=modern_headers(message) | headers)


def legacy_post(
    http: httpx2.Client, running: Running, method: str, session: str | None = None, **params: Any
) -> httpx2.Response:
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
    if not method.startswith("notifications/"):
        message["id"] = 7
    headers = {"accept": BOTH} | ({"mcp-session-id": session} if session else {})
    return http.post(running.url, json=message, headers=headers)


INITIALIZE: dict[str, Any] = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "0"},
}


def raw_answer(running: Running, method: str = "server/discover") -> bytes:
    """Every byte of the answer to one modern request, until the server closes."""
    message = modern_request(method)
    body = json.dumps(message).encode()
    headers = modern_headers(message) | {
        "host": "lab",
        "content-type": "application/json",
        "connection": "close",
    }
    lines = ["POST /mcp HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    head = "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode()
    with socket.create_connection(("127.0.0.1", running.port), timeout=5) as sock:
        sock.sendall(head + body)
        found = bytearray()
        while piece := sock.recv(65536):
            found += piece
    return bytes(found)
