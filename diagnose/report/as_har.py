"""HAR 1.2 of the recorded exchanges, which are redacted already."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from diagnose.model import Exchange, Report
from diagnose.report.as_json import dumped

__all__ = ["render"]


def render(report: Report) -> str:
    """Every exchange of the run as an entry; a request without an answer has status 0."""
    creator = {"name": report.tool.name, "version": report.tool.version}
    log = {
        "version": "1.2",
        "creator": creator,
        "pages": [],
        "entries": list(_entries(report)),
        "comment": report.verdict.summary,
    }
    return dumped({"log": log})


def _entries(report: Report) -> list[dict[str, Any]]:
    """The entries. Where an older report does not say when an exchange began, it is when its step did and
    those before it in the step were done.
    """
    began = {step.id: step.started_ms or 0.0 for step in report.steps}
    start = datetime.fromisoformat(report.run.started_at)
    entries: list[dict[str, Any]] = []
    for exchange in report.exchanges:
        offset = exchange.started_ms if exchange.started_ms is not None else began.get(exchange.step, 0.0)
        total = exchange.timings_ms.get("total", 0.0)
        began[exchange.step] = offset + total
        at = (start + timedelta(milliseconds=offset)).isoformat(timespec="milliseconds")
        entries.append(
            {
                "startedDateTime": at.replace("+00:00", "Z"),
                "time": total,
                "request": _request(exchange.request, report),
                "response": _response(exchange),
                "cache": {},
                "timings": _timings(exchange.timings_ms),
                "comment": f"exchange {exchange.id}, step {exchange.step}",
            }
        )
    return entries


def _request(request: dict[str, Any], report: Report) -> dict[str, Any]:
    headers = _headers(request)
    url = str(request.get("url") or _of_process(report))
    body = request.get("body")
    shown: dict[str, Any] = {
        "method": request.get("method", ""),
        "url": url,
        "httpVersion": "unknown" if url.startswith("stdio:") else "HTTP/1.1",
        "cookies": [],
        "headers": headers,
        "queryString": [{"name": name, "value": value} for name, value in parse_qsl(_query(url), True)],
        "headersSize": -1,
        "bodySize": len(str(body).encode("utf-8", "backslashreplace")) if body else 0,
    }
    if body:
        shown["postData"] = {"mimeType": _header(headers, "content-type"), "text": str(body)}
    return shown


def _of_process(report: Report) -> str:
    """HAR knows HTTP only: what went over pipes has the command in the place of a URL."""
    return "stdio:" + quote(" ".join(report.connector.command or []))


def _query(url: str) -> str:
    try:
        return urlsplit(url).query
    except ValueError:
        return ""


def _response(exchange: Exchange) -> dict[str, Any]:
    response = exchange.response or {}
    headers = _headers(response)
    content: dict[str, Any] = {
        "size": response.get("body_size", 0),
        "mimeType": _header(headers, "content-type") or "x-unknown",
        "text": str(response.get("body") or ""),
    }
    if exchange.truncated:
        content["comment"] = "only the beginning of the body was kept"
    shown: dict[str, Any] = {
        "status": response.get("status", 0),
        "statusText": response.get("reason", ""),
        "httpVersion": response.get("http_version") or "unknown",
        "cookies": [],
        "headers": headers,
        "content": content,
        "redirectURL": _header(headers, "location"),
        "headersSize": -1,
        "bodySize": response.get("body_size", -1),
    }
    if response.get("error"):
        shown["_error"] = response["error"]
    return shown


def _timings(timings: dict[str, float]) -> dict[str, float]:
    connect, tls = timings.get("connect"), timings.get("tls")
    return {
        "blocked": -1,
        "dns": -1,
        # HAR counts the handshake into the connection as well.
        "connect": -1 if connect is None else round(connect + (tls or 0.0), 2),
        "ssl": -1 if tls is None else tls,
        "send": timings.get("send", 0.0),
        "wait": timings.get("wait", 0.0),
        "receive": timings.get("receive", 0.0),
    }


def _headers(part: dict[str, Any]) -> list[dict[str, str]]:
    return [{"name": str(name), "value": str(value)} for name, value in part.get("headers") or []]


def _header(headers: list[dict[str, str]], name: str) -> str:
    return next((entry["value"] for entry in headers if entry["name"].lower() == name), "")
