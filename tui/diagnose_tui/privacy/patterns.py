"""What the privacy mask looks for in text, and what it leaves alone; tables, each with its reason."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

from diagnose.records import record

__all__ = [
    "CONVENTIONAL_PATHS",
    "DISTINGUISHED_NAME",
    "DOCUMENTATION_HOSTS",
    "ORDINARY_WORDS",
    "PLACEHOLDER",
    "SHORT",
    "WELL_KNOWN_PATH",
    "Known",
    "compiled",
    "telling",
]

DOCUMENTATION_HOSTS = frozenset(
    {
        "1.1.1.1",
        "2606:4700::1111",
        "application-id",
        "datatracker.ietf.org",
        "developers.cloudflare.com",
        "docs.docker.com",
        "docs.openssl.org",
        "docs.python.org",
        "example.com",
        "fetch.spec.whatwg.org",
        "github.com",
        "host",
        "json-schema.org",
        "learn.microsoft.com",
        "letsencrypt.org",
        "mcp.example.com",
        "modelcontextprotocol.io",
        "nodejs.org",
        "openid.net",
        "pubs.opengroup.org",
        "www.jsonrpc.org",
        "www.rfc-editor.org",
    }
)
"""Where rules and advice point to, and what they take for an example; masked in a run against one of them."""

CONVENTIONAL_PATHS = frozenset(
    {"", "/", "/mcp", "/mcp/", "/sse", "/sse/", "/message", "/messages", "/messages/"}
    | {"/authorize", "/token", "/register", "/callback"}
)
"""Paths of the specifications' own examples, which half of all servers have."""

_ORDINARY = """
    api app auth bash bun bunx cli client code connector connectors default demo deno dev dns docker
    error failed for from git host http https lab-server local localhost main mcp mcp-server memory name
    node none not npx oauth passed path pipx podman prod public python python3 remote report run runs
    server servers session sse staging stdio step tcp test tests text the time tls token tokens tool
    tools uv uvx warned web with
"""
ORDINARY_WORDS = frozenset(_ORDINARY.split()) | {"built-in lab"}
"""Names that are words of every report or of the app: masked where they stand as names, not in sentences."""

# Last labels that make a dotted word a host's name; without them the name of every file were one.
_LAST_LABELS = (
    "ai|app|arpa|biz|ca|ch|cloud|co|com|corp|de|dev|edu|es|eu|example|fr|gov|home|info|internal|invalid|intra"
    "|intranet|io|it|jp|lan|local|localdomain|me|net|nl|onion|org|private|se|site|tech|test|uk|us|xyz"
)
# A host may follow a separator in percent form, the star of a certificate, or the dot of a cookie's domain.
_START = r"(?:(?<![\w.%-])|(?<=%2F)|(?<=%3A)|(?<=%40)|(?<=%22)|(?<=%20)|(?<=[*\s\"'=;,]\.))"
_END = r"(?![\w-]|\.\w)"
_HOMES = "home|Users|root|tmp|var|opt|srv|mnt|media|private|Volumes|workspaces?|builds?"
# Not /usr, /etc, /proc and their like: they are the same on every machine.
_FILE = (
    rf"(?:(?<![\w.:/~-])~?/(?:{_HOMES})(?=/)|(?<![\w/])~(?=/))(?:/[^\s/\"'<>|:;,()\[\]{{}}\\]*)+"
    r"|(?<![A-Za-z0-9])[A-Za-z]:(?:\\{1,2}[^\s\\\"'<>|:*?]+)+"
)
_GENERIC = rf"""
(?P<mail> (?<![\w.+-]) [\w.+-]{{1,64}} @ (?:[a-z0-9-]+\.)+ [a-z]{{2,}} {_END} )
|(?P<url> (?<![a-z0-9+.-]) [a-z][a-z0-9+.-]{{1,15}} :(?:\\?/){{2}} (?: \\/ | [^\s"'<>\\`{{}}|] )+ )
|(?P<file> {_FILE} )
|(?P<digest> (?<![\w]) (?: [0-9a-f]{{40,}} | (?:[0-9a-f]{{2}}:){{15,}}[0-9a-f]{{2}} ) (?![\w]) )
|(?P<id> (?<![\w-]) [0-9a-f]{{8}}-[0-9a-f]{{4}}-[0-9a-f]{{4}}-[0-9a-f]{{4}}-[0-9a-f]{{12}} (?![\w-]) )
|(?P<dn> (?-i: (?<!\w) (?:CN|OU|O|L|ST|C|DC|UID|STREET|postalCode|emailAddress|serialNumber) = )
   (?: \\. | [^,\\\n"] )+ )
|(?P<ip> (?<![\w.]) (?: [0-9a-f]{{0,4}} (?: :[0-9a-f]{{0,4}} ){{2,7}} | (?:\d{{1,3}}\.){{3}}\d{{1,3}} )
   (?![\w]|\.\d) )
"""
_DOTTED = rf"|(?P<host> {_START} (?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+ (?:{_LAST_LABELS}) {_END} )"

SHORT = 36
"""The length of a UUID: what is shorter is told by a mark in it, or by a known word."""

DISTINGUISHED_NAME = re.compile(
    r"(?<!\w)(?:CN|OU|O|L|ST|DC|UID|emailAddress)=((?:\\.|[^,\\\n\"])+)",
)
"""The parts of a certificate's subject that name somebody."""

PLACEHOLDER = re.compile(r"/?(?:digest|host|id|ip|mail|name|path|query|url)-[1-9]\d*")
"""What the mask itself writes. Whoever is really called ``host-1`` is well hidden among them."""

WELL_KNOWN_PATH = re.compile(r"(/\.well-known/[A-Za-z0-9._-]+)")


@record
class Known:
    """Texts that belong to somebody: hosts (with everything below them), names, and paths."""

    hosts: Iterable[str] = ()
    names: Iterable[str] = ()
    paths: Iterable[str] = ()


def compiled(known: Known) -> re.Pattern[str]:
    """One pattern for everything; the name of the group that matched is the kind of what was found.

    Hosts come before names: a name may be the first label of a host.
    """
    groups = [_GENERIC]
    if paths := _either(known.paths):
        quoted = _either(quote(path, safe="") for path in known.paths)
        groups.append(rf"|(?P<path> (?-i: (?: (?<!\w) (?:{paths}) | {quoted} ) (?![\w-]) ) )")
    if hosts := _either(known.hosts):
        groups.append(rf"|(?P<known> {_START} (?:[a-z0-9_-]+\.)* (?:{hosts}) (?![\w-]) )")
    groups.append(_DOTTED)
    if names := _either(known.names):
        # Case matters: Cursor is a client, and a cursor is a place in a list.
        groups.append(rf"|(?P<name> (?-i: (?<![A-Za-z0-9]) (?:{names}) (?![A-Za-z0-9]) ) )")
    return re.compile("".join(groups), re.IGNORECASE | re.VERBOSE)


def telling(known: Known) -> re.Pattern[str]:
    """What a text below :data:`SHORT` characters has in it if anything in it is to be masked."""
    words = _either([*known.hosts, *known.names])
    return re.compile(r"[.:/@\\=]" + (f"|{words}" if words else ""), re.IGNORECASE)


def _either(texts: Iterable[str]) -> str:
    """The longest first, so that no part of a text hides the rest of it."""
    found = sorted(set(texts), key=lambda text: (-len(text), text))
    return "|".join(map(re.escape, found))
