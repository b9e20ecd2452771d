"""What the last words of a process mean: a table over lines of stderr.

A line is evidence and no error by itself (MCP, stdio): the table is read for a process that ended, and for
one variable that a running server says it misses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from diagnose.records import record

__all__ = ["Sign", "decisive_line", "is_lock", "missing_credential", "missing_variable", "sign_of"]


@record
class Sign:
    """A line, what it means, and what to do. ``subject`` is the module, package, version or variable."""

    code: str
    line: str
    subject: str
    advice: str


@record
class _Row:
    code: str
    pattern: re.Pattern[str]
    advice: str


def _row(code: str, pattern: str, advice: str) -> _Row:
    return _Row(code=code, pattern=re.compile(pattern, re.IGNORECASE), advice=advice)


_ADVICE_RUNTIME = (
    "Install the version that the line asks for and name its whole path in command: the client takes the "
    "first one in its PATH."
)
_ADVICE_PACKAGE = "Correct the name or version of the package; look it up in the registry."

_SIGNS: tuple[_Row, ...] = (
    _row(
        "STDIO017",
        r"(?P<subject>cannot connect to the docker daemon(?:[^.]|\.\S)*|error during connect[^.]*"
        r"|permission denied while trying to connect to the docker[^.]*|docker daemon is not running"
        r"|cannot connect to podman[^.]*)",
        "Start Docker, or set DOCKER_HOST to the daemon in use; docker info must work in a shell first.",
    ),
    _row("STDIO016", r"^npm err\S* (?:engine|notsup) Required: (?P<subject>.+)", _ADVICE_RUNTIME),
    _row(
        "STDIO016",
        r"(?P<subject>unsupported engine.*|EBADENGINE.*"
        r"|requires? (?:a )?(?:different )?(?:node(?:\.js)?|python)\W.*"
        r"|(?:node(?:\.js)?|python) (?:version )?v?[\d.]+ "
        r"(?:is not supported|is too old|or (?:newer|later|higher)|required).*|requires-python.*"
        r"|no interpreter found for python [\d.]+.*"
        r"|(?:fetch|ReadableStream|WebSocket|File|CustomEvent) is not defined"
        r"|\S+ does not provide an export named \S+"
        r"|\.(?:toSorted|findLast|at|replaceAll) is not a function"
        r"|SyntaxError: Unexpected token '(?:\?\?=|\|\|=|&&=|\?|\.)'.*)",
        _ADVICE_RUNTIME,
    ),
    _row(
        "STDIO015",
        r"(?:ModuleNotFoundError: No module named|: No module named) '?(?P<subject>[\w.\-]+)",
        "Install it for this very interpreter, or name the interpreter of the environment that has it.",
    ),
    _row(
        "STDIO015",
        r"(?:cannot find (?:module|package)) '(?P<subject>[^']+)'",
        "Correct the path, or reinstall the package; for npx remove its cache (npm cache clean --force, "
        "and the directory _npx in it).",
    ),
    _row(
        "STDIO015",
        r"can't open file '(?P<subject>[^']+)'",
        "Correct the path of the script in args; a relative one starts at cwd.",
    ),
    _row(
        "STDIO015",
        r"npm (?:error|err!) 404\s+(?:the requested resource )?'(?P<subject>@?[\w./-]+)@[^']*' "
        r"(?:is not in|could not be found)",
        _ADVICE_PACKAGE,
    ),
    _row(
        "STDIO015",
        r"(?:no matching version found for |there (?:is|are) no versions? of )(?P<subject>\S+\w)",
        _ADVICE_PACKAGE,
    ),
    _row(
        "STDIO015",
        r"because (?P<subject>\S+) was not found in the package registry",
        _ADVICE_PACKAGE,
    ),
    _row(
        "STDIO015",
        r"(?:E404|could not determine executable to run|no such package)",
        _ADVICE_PACKAGE,
    ),
    _row("STDIO015", r"(?P<subject>ERR_MODULE_NOT_FOUND)", "Reinstall the package."),
)

_SAYS_MISSING = (
    r"(?:is |are |was |be )?(?:not |un)(?:set|defined|provided|found|configured|specified|available)|missing"
    r"|required|must be (?:set|provided|defined|configured)|please (?:set|provide|define|export)"
    r"|needs? to be set"
    r"|no value|is empty|undefined|KeyError|environment variable|no api key"
)
_MISSING = re.compile(_SAYS_MISSING, re.IGNORECASE)
_VARIABLE = re.compile(r"(?<![A-Za-z0-9_$])([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?![A-Za-z0-9_])")
_NO_VARIABLE = re.compile(r"^(?:ERR|E|HTTP|SSL|TLS|UV|ENOENT|DEBUG|INFO|WARN|ERROR)_")
_CREDENTIAL = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|(?:^|_)(?:PAT|AUTH|DSN)(?:_|$)")
_HARMLESS = re.compile(r"default|optional|fall(?:ing|s)? ?back|instead|ignored|anonymous", re.IGNORECASE)
_LOCK = re.compile(
    r"EADDRINUSE|address already in use|already running|resource (?:busy|temporarily unavailable)"
    r"|database is locked|could not (?:acquire|obtain) .*lock|lock(?:ed| file)|another instance"
    r"|port .* in use",
    re.IGNORECASE,
)
_ERROR = re.compile(
    r"(?:\b[\w.]*(?:Error|Exception)\b\s*[:\[(]|^\s*(?:(?:error|fatal|panic)\b|npm err))",
    re.IGNORECASE,
)
_ROOT = re.compile(r"^\s*(?:cause|caused by):\s*\S", re.IGNORECASE)
_POINTER = re.compile(r"(?:complete|debug) log of this run|^npm notice|^\s*hint:", re.IGNORECASE)
"""Lines that say where to read on."""


def sign_of(lines: Iterable[str]) -> Sign | None:
    """The first row of the table that a line bears out; what npm warns of did not end anything."""
    said = [line for line in lines if not line.lower().startswith("npm warn")]
    for row in _SIGNS:
        for line in said:
            found = row.pattern.search(line)
            if found:
                subject = found.groupdict().get("subject") or found.group()
                return Sign(code=row.code, line=line, subject=subject.strip()[:120], advice=row.advice)
    return None


def missing_variable(lines: Iterable[str], passed: Mapping[str, str]) -> tuple[str, str] | None:
    """The variable that a line says is missing, and the line; none that the process has."""
    for line in lines:
        if not _MISSING.search(line):
            continue
        for name in _VARIABLE.findall(line):
            if not passed.get(name) and not _NO_VARIABLE.match(name):
                return name, line
    return None


def missing_credential(lines: Iterable[str], passed: Mapping[str, str]) -> tuple[str, str] | None:
    """The same of a server that goes on: only a credential, and only where nothing takes its place."""
    serious = tuple(line for line in lines if not _HARMLESS.search(line))
    found = missing_variable(serious, passed)
    return found if found is not None and _CREDENTIAL.search(found[0]) else None


def is_lock(lines: Iterable[str]) -> str | None:
    """The line that says that something is held by somebody else."""
    return next((line for line in lines if _LOCK.search(line)), None)


def decisive_line(lines: Iterable[str]) -> str:
    """The last cause of a chain, else the last line that names an error, else the last line."""
    said = [line for line in lines if not _POINTER.search(line)]
    causes = [line for line in said if _ROOT.search(line)]
    named = [line for line in said if _ERROR.search(line)]
    return (causes or named or said or ["nothing"])[-1].strip()
