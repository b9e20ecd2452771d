"""Where a client looks for metadata, in the exact order of the MCP specification.

Resource: the URL of the challenge, then RFC 9728 3.1 with the path inserted, then the root. Authorization
server: RFC 8414 3.1 and OpenID Connect Discovery, inserted and appended. URLs are put together from parts
and never resolved against each other, so that a path such as ``//evil.example`` stays a path.
"""

from __future__ import annotations

from urllib.parse import urlsplit

__all__ = ["canonical", "legacy_server_metadata_url", "resource_metadata_urls", "server_metadata_urls"]

_RESOURCE = "/.well-known/oauth-protected-resource"
_SERVER = "/.well-known/oauth-authorization-server"
_OPENID = "/.well-known/openid-configuration"


def canonical(url: str) -> str:
    """The URL as every client's URL type writes it: scheme and host in lower case, no default port, a path.

    RFC 3986 6.2.2 and 6.2.3. A trailing slash of a longer path stays: it makes another resource.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return url
    if ":" in host:
        host = f"[{host}]"
    default = {"http": 80, "https": 443}.get(parts.scheme)
    netloc = host if port in (None, default) else f"{host}:{port}"
    return parts._replace(netloc=netloc, path=parts.path or "/").geturl()


def resource_metadata_urls(endpoint: str, named_by_challenge: str | None) -> tuple[str, ...]:
    """Candidates for the protected resource metadata of ``endpoint``, without repetition.

    RFC 9728 3.1 keeps the query of the resource, as the TypeScript SDK does; the Python SDK drops it.
    """
    root, path = _parts(endpoint)
    query = urlsplit(endpoint).query
    urls = [named_by_challenge] if named_by_challenge else []
    if query:
        urls.append(f"{root}{_RESOURCE}{path if path != '/' else ''}?{query}")
    if path not in ("", "/"):
        urls.append(f"{root}{_RESOURCE}{path}")
    urls.append(f"{root}{_RESOURCE}")
    return tuple(dict.fromkeys(urls))


def server_metadata_urls(issuer: str) -> tuple[str, ...]:
    """Candidates for the metadata of the authorization server ``issuer``."""
    root, path = _parts(issuer)
    path = path.rstrip("/")
    if not path:
        return (f"{root}{_SERVER}", f"{root}{_OPENID}")
    return (f"{root}{_SERVER}{path}", f"{root}{_OPENID}{path}", f"{root}{path}{_OPENID}")


def legacy_server_metadata_url(endpoint: str) -> str:
    """Where revision 2025-03-26 put it: at the root of the MCP host, the path dropped."""
    return f"{_parts(endpoint)[0]}{_SERVER}"


def _parts(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}", parts.path
