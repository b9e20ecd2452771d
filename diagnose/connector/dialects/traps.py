"""What people write that a client takes, or refuses without a word: each trap is a function in one tuple."""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import PurePath
from urllib.parse import parse_qsl, urlsplit

from diagnose.connector.credential import HEADER_NAME
from diagnose.connector.dialects.bridge import bridge_of, fills_in_itself
from diagnose.connector.dialects.entry import Entry
from diagnose.connector.dialects.interpolation import left_over
from diagnose.connector.dialects.making import Made
from diagnose.connector.json_document import kind_of

__all__ = ["TRAPS", "look"]

_LOOPBACK = re.compile(r"localhost|127(\.[0-9]{1,3}){3}|::1|.*\.localhost", re.IGNORECASE)
_SECRET_PARAMETER = re.compile(r"token|key|secret|auth|passw|sig", re.IGNORECASE)
_SECRET_HEADER = re.compile(r"authorization|api[-_]?key|token|secret|cookie|passw|credential", re.IGNORECASE)
_SHELL_WORDS = frozenset({"&&", "||", "|", ";", ">", ">>", "<", "2>&1", "2>/dev/null", "&"})
_SHELL_SIGN = re.compile(r"&&|\|\||[|;<>`]|\$\(")
_VARIABLE = re.compile(r"\$(?:HOME|USER|PWD|PATH)\b")
_SLIPPED = re.compile(r"[A-Za-z]:[^\x00-\x1f]*[\x07\x08\t\n\f\r\x0b]")
_ESCAPES = {"\x07": r"\a", "\x08": r"\b", "\t": r"\t", "\n": r"\n", "\f": r"\f", "\r": r"\r", "\x0b": r"\v"}


def look(entry: Entry, made: Made) -> None:
    """Note every trap that an entry is in. Nothing is sent, started or written."""
    for trap in TRAPS:
        trap(entry, made)


def _field_names(entry: Entry, made: Made) -> None:
    known = entry.row.fields
    taken = {slot.field for slot in entry.slots.values()}
    for name, slot in entry.unknown.items():
        if name in entry.row.refuses:
            what = f"{entry.row.title} refuses an entry with {name}"
            entry.note("CFG049", "error", what, entry.row.refuses[name], slot.at)
            continue
        if entry.row.guessed or any(
            p.origin.pointer == entry.origin(slot.at).pointer for p in entry.problems
        ):
            continue
        mine = _own_name(entry, name)
        if mine is not None:
            what = f"{name} is a field of other clients; {entry.row.title} reads {mine}"
            entry.note("CFG049", "warning", what, f"rename it to {mine}", slot.at)
            continue
        close = [
            word
            for word in get_close_matches(name, [word for word in known if "." not in word], n=3, cutoff=0.8)
            if word not in taken and word not in entry.raw
        ]
        if close:
            what = f"{entry.row.title} has no field of this name, and ignores it"
            entry.note("CFG062", "warning", what, f"write {close[0]}", slot.at)


_SAME: tuple[tuple[str, frozenset[str]], ...] = (
    ("headers", frozenset({"headers", "http_headers", "httpHeaders", "requestHeaders"})),
    ("env", frozenset({"env", "environment", "envs", "environmentVariables"})),
    ("args", frozenset({"args", "arguments"})),
    ("cwd", frozenset({"cwd", "workingDirectory", "working_directory"})),
)
"""A slot, and what clients call it."""


def _own_name(entry: Entry, name: str) -> str | None:
    for slot, names in _SAME:
        if name in names and slot not in entry.slots:
            return next((field for field, means in entry.row.fields.items() if means == slot), None)
    return None


def _times(entry: Entry, made: Made) -> None:
    for unit, slot in entry.times:
        value = slot.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            if value is not None:
                entry.note(
                    "CFG053", "warning", f"{slot.field} is {kind_of(value)}", "write a number", slot.at
                )
        elif unit == "ms" and 0 < value < 1000:
            what = f"{slot.field} is in milliseconds, and {value:g} of them are no time for a server"
            entry.note("CFG053", "warning", what, f"write {value * 1000:g} for {value:g} seconds", slot.at)
        elif unit == "s" and value >= 10_000:
            what = f"{slot.field} is in seconds, and {value:g} of them are {value / 3600:.1f} hours"
            entry.note(
                "CFG053", "warning", what, f"write {value / 1000:g} for {value:g} milliseconds", slot.at
            )


def _header_names(entry: Entry, made: Made) -> None:
    seen: set[str] = set()
    for name, (_, at) in made.headers.items():
        if not HEADER_NAME.fullmatch(name):
            clean = re.sub(r"[^!#$%&'*+.^_`|~0-9A-Za-z-]", "", name) or "NAME"
            what = "this is no name of a header: it has a colon, a space or another sign in it"
            entry.note("CFG004", "error", what, f'write "{clean[:60]}"', at)
        elif name.lower() in seen and name.lower() != "authorization":
            entry.note("CFG004", "warning", "a header stands there twice", "keep one of the two", at)
        seen.add(name.lower())


def _token_texts(entry: Entry, made: Made) -> None:
    """Tokens as they would be sent: quotes, a scheme twice, white space."""
    texts = [(name, text, at) for name, (text, at) in made.headers.items() if _SECRET_HEADER.search(name)]
    for slot_name in ("bearer", "api_key", "bearer_or_oauth"):
        text, slot = entry.value(slot_name), entry.slots.get(slot_name)
        if isinstance(text, str) and slot is not None:
            texts.append((slot_name, text, slot.at))
    for name, text, at in texts:
        bare = name in ("bearer", "bearer_or_oauth") or (
            name == "api_key" and entry.value("api_key_kind") != "custom"
        )
        _one_text(entry, text, at, bare=bare)
        for variable in re.findall(r"\$\{?(?:env:)?([A-Za-z_][A-Za-z0-9_]*)", text):
            value = entry.here.environ.get(variable)
            if value and not left_over(value):
                _one_text(
                    entry,
                    text.split("$")[0] + value,
                    at,
                    bare=bare,
                    source=f" of the variable {variable[:80]}",
                )


def _one_text(entry: Entry, text: str, at: tuple[str | int, ...], *, bare: bool, source: str = "") -> None:
    if any(ord(sign) < 0x20 or ord(sign) == 0x7F for sign in text.strip()):
        what = f"the value{source} has a line break or a control character in it"
        entry.note("CFG007", "error", what, "write it as one line", at)
    elif text != text.strip():
        what = f"the value{source} begins or ends with white space"
        entry.note("CFG007", "warning", what, "remove it", at)
    scheme = re.match(r"(bearer|basic|token)\s+(bearer|basic|token)\s", text.strip(), re.IGNORECASE)
    if scheme is not None or (bare and re.match(r"bearer\s", text.strip(), re.IGNORECASE)):
        hint = "write the token alone: the client adds Bearer itself" if bare else "write Bearer once"
        entry.note("CFG050", "error", f"the value{source} says Bearer twice", hint, at)
    token = re.sub(r"^(bearer|basic|token)\s+", "", text.strip(), flags=re.IGNORECASE)
    if len(token) > 1 and token[0] in "\"'“”‘’" and token[-1] in "\"'“”‘’":
        entry.note(
            "CFG050", "error", f"the token{source} is in quotes of its own", "remove the inner quotes", at
        )


def _address(entry: Entry, made: Made) -> None:
    if made.url is None:
        return
    slot = entry.slots.get("url") or entry.slots.get("http_url")
    at = slot.at if slot else entry.at
    try:
        parts = urlsplit(made.url)
        host = parts.hostname or ""
    except ValueError:
        return
    for name, value in parse_qsl(parts.query):
        if _SECRET_PARAMETER.search(name) and value:
            what = f"the URL carries a credential in its parameter {name[:40]}"
            entry.note("CFG046", "warning", what, "send it in a header, where no log keeps it", at)
    carries = any(_SECRET_HEADER.search(name) for name in made.headers) or (
        made.connector is not None and made.connector.credential.type not in ("none", "oauth2")
    )
    if parts.scheme.lower() == "http" and carries and not _LOOPBACK.fullmatch(host):
        what = "the credential goes over plain http, readable on the way"
        entry.note("CFG051", "warning", what, "write https://", at)


def _bridge(entry: Entry, made: Made) -> None:
    found = bridge_of(made.argv)
    if found is None:
        return
    args = entry.slots.get("args") or entry.slots.get("argv")
    shift = 1 if args is not None and "argv" not in entry.slots else 0
    base = args.at if args is not None else entry.at
    place = (*base, found.url_index - shift)
    try:
        parts = urlsplit(found.url)
        host = parts.hostname or ""
    except ValueError:
        return
    if parts.scheme.lower() == "http" and host not in ("localhost", "127.0.0.1") and not found.allows_http:
        hint = 'write https://, or add "--allow-http" on a network that you trust'
        entry.note("CFG045", "error", "mcp-remote refuses http for a host other than localhost", hint, place)
    for text, index in found.headers:
        at = (*base, index - shift)
        name, colon, value = text.partition(":")
        if not colon or not HEADER_NAME.fullmatch(name):
            entry.note("CFG004", "error", "--header takes NAME:VALUE", 'write "Authorization:${AUTH}"', at)
        elif value.startswith(" ") and entry.here.platform == "win32" and entry.row.desktop:
            what = f"{entry.row.title} on Windows splits this argument at its space"
            hint = 'write "Authorization:${AUTH}" without a space, and "AUTH": "Bearer ..." in env'
            entry.note("CFG065", "warning", what, hint, at)
        for variable in re.findall(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", value):
            env = entry.value("env")
            known = isinstance(env, dict) and bool(env.get(variable))
            if not known and not (entry.row.inherits == "all" and entry.here.environ.get(variable)):
                what = f"mcp-remote gets no variable {variable[:80]} to fill in"
                entry.note("CFG003", "warning", what, f'add "{variable[:80]}" to env', at)


def _command_line(entry: Entry, made: Made) -> None:
    if not made.argv or entry.value("package.registry") is not None:
        return
    slot = entry.slots.get("argv") or entry.slots.get("command")
    at = slot.at if slot is not None else entry.at
    command, in_shell = made.argv[0], fills_in_itself(entry)
    words = command.split(" ")
    is_path = bool(re.search(r"[\\/]", words[0])) if words else True
    if command.startswith("~") and not entry.row.expands_home:
        hint = f"write the whole path: {entry.here.home}{command[1:60]}"
        entry.note("CFG055", "error", "~ is a shell's word, and no shell reads the command", hint, at)
    elif _VARIABLE.search(command):
        what = "the command holds a variable of a shell, and no shell reads it"
        entry.note("CFG055", "error", what, "write the whole path", at)
    elif command in ("cd", "export", "source") or (_SHELL_SIGN.search(command) and not is_path):
        hint = 'write "command": "sh", "args": ["-c", "..."], or the program and its arguments'
        entry.note("CFG055", "error", "the command is a line for a shell, and no shell reads it", hint, at)
    elif len(words) > 1 and (not is_path or any(word.startswith("-") for word in words[1:])):
        hint = f'write the program alone, and the rest as a list: "command": "{words[0][:40]}", "args": [...]'
        entry.note("CFG054", "error", "the command is a whole line in one string", hint, at)
    args = entry.slots.get("args") or entry.slots.get("argv")
    if args is None or in_shell:
        return
    shift = 1 if args is not slot else 0
    for index, word in enumerate(made.argv[1:], start=1):
        _argument(entry, word, (*args.at, index - shift), first=index == 1)


def _argument(entry: Entry, word: str, at: tuple[str | int, ...], *, first: bool) -> None:
    if word in _SHELL_WORDS:
        hint = "start a shell for it, or leave it out"
        entry.note("CFG055", "warning", "an argument is a shell's sign, and no shell reads it", hint, at)
    elif _VARIABLE.search(word):
        what = "an argument holds a variable of a shell, which is passed on as it stands"
        entry.note("CFG055", "warning", what, "write the whole path", at)
    elif word.startswith(("~/", "~\\")) and not entry.row.expands_home:
        # The script of an interpreter is not found so; many servers write out the rest themselves.
        what = "an argument begins with ~, which is passed on as it stands"
        entry.note("CFG055", "warning" if first else "info", what, "write the whole path", at)
    elif re.match(r"-{1,2}[A-Za-z][\w-]* \S", word):
        what = "an argument holds an option and its value in one string"
        entry.note("CFG054", "warning", what, "write two strings, one for each word", at)


def _backslashes(entry: Entry, made: Made) -> None:
    for name in ("command", "argv", "args", "cwd"):
        slot = entry.slots.get(name)
        if slot is None:
            continue
        several = isinstance(slot.value, list)
        for index, text in enumerate(slot.value if isinstance(slot.value, list) else [slot.value]):
            match = _SLIPPED.match(text) if isinstance(text, str) else None
            if match is None:
                continue
            sign = _ESCAPES.get(match.group()[-1], r"\t")
            what = f"{sign} in this path became one control character"
            hint = f"double every backslash: \\{sign}, or write /"
            entry.note("CFG056", "error", what, hint, (*slot.at, index) if several else slot.at)


def _kept(entry: Entry, made: Made) -> None:
    for slot in entry.kept:
        if made.transport is not None:
            what = f"{slot.field} is done by {entry.row.title} itself and cannot be repeated from here"
            entry.note("CFG058", "info", what, "the diagnosis runs without it", slot.at)


def _paths(entry: Entry, made: Made) -> None:
    """A relative path in a file that belongs to no project is looked up where the client happens to run."""
    if not made.argv or entry.folder is not None or entry.value("cwd"):
        return
    command = made.argv[0]
    if re.search(r"[\\/]", command) and not command.startswith(("~", "$", "%")):
        slot = entry.slots.get("argv") or entry.slots.get("command")
        if not PurePath(command).is_absolute() and not re.match(r"[A-Za-z]:|[\\/]", command):
            what = "the command is a relative path, and this file belongs to no folder"
            entry.note("CFG067", "warning", what, "write the whole path", slot.at if slot else None)


TRAPS: tuple[Callable[[Entry, Made], None], ...] = (
    _field_names,
    _times,
    _header_names,
    _token_texts,
    _address,
    _bridge,
    _command_line,
    _backslashes,
    _kept,
    _paths,
)
