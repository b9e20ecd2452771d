"""How a TLS server answers a plain HTTP request when it explains itself instead of sending an alert."""

from __future__ import annotations

__all__ = ["explains_tls"]

_WORDS = (
    "the plain http request was sent to https port",  # nginx
    "speaking plain http to an ssl-enabled server port",  # Apache httpd
    "client sent an http request to an https server",  # Go net/http
    "this combination of host and port requires tls",  # Tomcat, Spring Boot
)


def explains_tls(text: str) -> bool:
    """Whether an answer says that the port it came from wants TLS."""
    lowered = text.lower()
    return any(words in lowered for words in _WORDS)
