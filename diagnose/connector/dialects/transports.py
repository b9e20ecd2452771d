"""Which transport an entry means, in the words of its client."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Literal

from diagnose.connector.dialects.bridge import fills_in_itself
from diagnose.connector.dialects.entry import Entry, Slot
from diagnose.connector.dialects.row import Transport
from diagnose.connector.dialects.values import plain, template, texts_by_name
from diagnose.connector.secret import Secret
from diagnose.errors import UsageError

__all__ = ["argv_of", "decide", "environment_of", "working_directory"]

_MEANINGS: Mapping[str, Transport] = {
    "http": "streamable-http",
    "https": "streamable-http",
    "streamable-http": "streamable-http",
    "streamable_http": "streamable-http",
    "streamablehttp": "streamable-http",
    "remote": "streamable-http",
    "url": "streamable-http",
    "sse": "sse",
    "http+sse": "sse",
    "stdio": "stdio",
    "local": "stdio",
    "ws": "other",
    "websocket": "other",
}
"""What the words of all clients mean, in lower case."""


def decide(entry: Entry) -> Transport | None:
    """The transport, or None where the entry means none (noted as an error)."""
    word = _word(entry)
    url = entry.slots.get("url") or entry.slots.get("http_url")
    command = entry.slots.get("command") or entry.slots.get("argv") or entry.slots.get("package.registry")
    if entry.failed:
        return None
    if word == "other":
        entry.note(
            "CFG064",
            "info",
            f"{entry.row.title} has this transport for itself, and MCP has it not",
            "it cannot be diagnosed from outside that client",
            entry.slots["word"].at,
        )
        return None
    found = word or _inferred(entry, url, command)
    if found is None:
        return None
    if url and command and not entry.value("package.registry"):
        used, unused = ("the command", "url") if found == "stdio" else ("the URL", "command")
        what = "the entry has a URL and a command, and only one of them is used"
        entry.note("CFG047", "warning", what, f"{used} is read here: remove {unused}")
    needed = command if found == "stdio" else url
    if needed is None:
        missing = _field(entry, ("command", "argv")) if found == "stdio" else _field(entry, ("url",))
        entry.note("CFG019", "error", f"the entry has no {missing}", f'add "{missing}"')
        return None
    carrier = "stdio" if found == "stdio" else "http"
    if carrier not in entry.row.carriers:
        _refuse_carrier(entry, needed)
        return None
    if found != "stdio" and entry.slots.get("http_url") is needed:
        return "streamable-http"
    return found


def _field(entry: Entry, slots: tuple[str, ...]) -> str:
    return next((name for name, slot in entry.row.fields.items() if slot in slots), slots[0])


def _refuse_carrier(entry: Entry, needed: Slot) -> None:
    title = entry.row.title
    if entry.row.carriers == ("http",):
        hint = "give it the URL of a server"
        entry.note("CFG064", "error", f"{title} starts no processes", hint, needed.at)
        return
    hint = 'add the server in its settings, or write "command": "npx", "args": ["-y", "mcp-remote", "URL"]'
    entry.note("CFG064", "error", f"{title} reads no URLs from this file", hint, needed.at)


def _word(entry: Entry) -> Transport | None:
    slot = entry.slots.get("word")
    if slot is None or slot.value is None:
        return None
    if not isinstance(slot.value, str):
        entry.wrong_kind(slot, "one of " + ", ".join(entry.row.words))
        return None
    if slot.value in entry.row.words:
        return entry.row.words[slot.value]
    if not entry.row.words:
        return None
    entry.note(
        "CFG048",
        "error" if entry.row.strict_words else "warning",
        f"{entry.row.title} has no transport of this name",
        f"write {json.dumps(_nearest(entry, slot.value))}; it takes {', '.join(entry.row.words)}",
        slot.at,
    )
    return None


def _nearest(entry: Entry, word: str) -> str:
    """The word of this client that means what another client's word means, or that is spelt nearest."""
    words, lowered = entry.row.words, word.lower()[:40]
    meaning = _MEANINGS.get(lowered)
    if meaning is None:
        meaning = next((means for known, means in _MEANINGS.items() if known in lowered), None)
    if meaning is None:
        close = get_close_matches(lowered, list(_MEANINGS), n=1, cutoff=0.6)
        meaning = _MEANINGS[close[0]] if close else None
    wanted = (meaning, "auto") if meaning == "streamable-http" else (meaning,)
    same = [own for own, means in words.items() if means in wanted] or list(words)
    return next(iter(get_close_matches(lowered, same, n=1, cutoff=0.0)), same[0])


def _inferred(entry: Entry, url: Slot | None, command: Slot | None) -> Transport | None:
    if command is not None:
        return _missing_word(entry, "stdio") if entry.row.needs_word else "stdio"
    if url is None:
        return _nothing(entry)
    if entry.row.bare is None and "http_url" not in entry.slots:
        return _missing_word(entry, "streamable-http")
    return entry.row.bare


def _missing_word(entry: Entry, meant: Transport) -> Transport | None:
    name = next((name for name, slot in entry.row.fields.items() if slot == "word"), "type")
    wanted = (meant, "auto") if meant == "streamable-http" else (meant,)
    word = next((own for own, means in entry.row.words.items() if means in wanted), meant)
    entry.note(
        "CFG066",
        "error",
        f"{entry.row.title} does not use an entry like this without its {name}",
        f'add "{name}": "{word}"' if entry.document.format != "toml" else f'add {name} = "{word}"',
    )
    return None


def _nothing(entry: Entry) -> Transport | None:
    if entry.kept:
        what = f"only {entry.row.title} can reach what {entry.kept[0].field} names"
        entry.note("CFG064", "info", what, "it cannot be diagnosed from outside", entry.kept[0].at)
        return None
    own = [name for name, slot in entry.row.fields.items() if slot in ("url", "command", "argv")]
    for name, slot in entry.unknown.items():
        meant = _OTHER_NAMES.get(name)
        mine = next((field for field in own if entry.row.fields[field] in _SLOTS.get(meant or "", ())), None)
        if mine is not None:
            what = f"{name} is a field of other clients; {entry.row.title} reads {mine}"
            entry.note("CFG049", "error", what, f"rename it to {mine}", slot.at)
            return None
    entry.note("CFG019", "error", "the entry has neither a URL nor a command", f"add {' or '.join(own)}")
    return None


_OTHER_NAMES: Mapping[str, str] = {
    "url": "url",
    "serverUrl": "url",
    "httpUrl": "url",
    "server_url": "url",
    "uri": "url",
    "endpoint": "url",
    "baseUrl": "url",
    "cmd": "command",
    "command": "command",
}
_SLOTS: Mapping[str, tuple[str, ...]] = {"url": ("url",), "command": ("command", "argv")}


def argv_of(entry: Entry) -> tuple[str, tuple[str, ...]] | None:
    """Command and arguments as they are started; None where there are none (noted)."""
    if entry.value("package.registry") is not None:
        return _package(entry)
    slot = entry.slots.get("argv") or entry.slots.get("command")
    if slot is None:
        return None
    words: list[tuple[str, Any]] = []
    if isinstance(slot.value, list):
        words = [(word, (*slot.at, index)) for index, word in enumerate(slot.value)]
    elif isinstance(slot.value, str) and slot.field and entry.row.fields.get(slot.field) == "argv":
        entry.note("CFG054", "error", "the command is one string", _as_list(slot), slot.at)
        return None
    elif isinstance(slot.value, str) and entry.row.splits:
        words = [(word, slot.at) for word in _split(slot.value)]
    elif isinstance(slot.value, str):
        words = [(slot.value, slot.at)]
    else:
        entry.wrong_kind(slot, "the name of a program")
        return None
    args = entry.slots.get("args")
    if args is not None and args.value is not None:
        if isinstance(args.value, str):
            entry.note("CFG054", "error", f"{args.field} is one string", _as_list(args), args.at)
            return None
        if not isinstance(args.value, list):
            entry.wrong_kind(args, "a list of strings")
            return None
        words += [(word, (*args.at, index)) for index, word in enumerate(args.value)]
    return _argv(entry, words)


def _argv(entry: Entry, words: list[tuple[Any, Any]]) -> tuple[str, tuple[str, ...]] | None:
    if not words or words[0][0] == "":
        entry.note("CFG019", "error", "the command is empty", "write the name of a program")
        return None
    for word, at in words:
        if not isinstance(word, str):
            entry.note("CFG019", "error", "an argument is no string", "write it in double quotes", at)
            return None
    command = plain(entry, _at_home(entry, words[0][0]), words[0][1], "the command")
    if command is None:
        return None
    later = fills_in_itself(entry)
    args = tuple(
        template(entry, _at_home(entry, word), at, "an argument", sent=False, filled_later=later)
        for word, at in words[1:]
    )
    return Secret.escaped(command), args


def _at_home(entry: Entry, text: str) -> str:
    """``text`` with the home directory for its ``~``, where the client writes it so."""
    at_home = entry.row.expands_home and re.match(r"~(?=[\\/]|$)", text)
    return entry.here.home + text[1:] if at_home else text


def _as_list(slot: Slot) -> str:
    # The words themselves may be secrets: the form is shown, not the text.
    return f'write a list with one string for each word: "{slot.field}": ["-y", "PACKAGE", "..."]'


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return [text]


_RUNNERS: Mapping[str, tuple[str, tuple[str, ...], str]] = {
    "npm": ("npx", ("-y",), "@"),
    "pypi": ("uvx", (), "=="),
    "oci": ("docker", ("run", "-i", "--rm"), ":"),
    "nuget": ("dnx", ("--yes",), "@"),
}
"""What starts a package of a registry: program, its arguments, and what stands before the version."""


def _package(entry: Entry) -> tuple[str, tuple[str, ...]] | None:
    slot, identifier = entry.slots["package.registry"], entry.text("package.identifier")
    runner = _RUNNERS.get(slot.value) if isinstance(slot.value, str) else None
    if runner is None or not identifier:
        what = "the package is of a kind that nothing here can start"
        entry.note("CFG064", "error", what, f"one of {', '.join(_RUNNERS)} can be started", slot.at)
        return None
    program, before, sign = runner
    version = entry.value("package.version")
    pinned = (
        f"{identifier}{sign}{version}"
        if isinstance(version, str) and sign not in identifier[1:]
        else identifier
    )
    args = [
        *_values(entry, "package.runtime_arguments"),
        *before,
        pinned,
        *_values(entry, "package.arguments"),
    ]
    hint = entry.value("package.runtime")
    return (hint if isinstance(hint, str) and hint else program), tuple(map(Secret.escaped, args))


def _values(entry: Entry, slot: str) -> list[str]:
    """The arguments of server.json as far as they have a value."""
    given, made = entry.value(slot), []
    for argument in given if isinstance(given, list) else ():
        if not isinstance(argument, dict):
            continue
        value = argument.get("value", argument.get("default"))
        if argument.get("type") == "named" and isinstance(argument.get("name"), str):
            made.append(argument["name"])
        if isinstance(value, str):
            made.append(value)
    return made


def environment_of(entry: Entry) -> dict[str, Secret]:
    """What the entry adds to the environment of its process."""
    found: dict[str, Secret] = _from_file(entry)
    for slot_name in ("env_names", "env_keys"):
        names = entry.value(slot_name)
        for name in names if isinstance(names, list) else ():
            if not isinstance(name, str):
                continue
            if slot_name == "env_keys" or entry.here.environ.get(name):
                found[name] = Secret(f"${{env:{name}}}")
            if slot_name == "env_keys" and not entry.here.environ.get(name):
                what = f"{entry.row.title} keeps the value of {name[:80]} in its keyring"
                hint = f"to diagnose with it, set {name[:80]} where this command runs"
                entry.note("CFG058", "info", what, hint, entry.slots[slot_name].at)
    slot = entry.slots.get("env")
    if slot is not None:
        for name, (text, at) in texts_by_name(entry, slot, numbers=entry.row.env_values).items():
            value = template(entry, text, at, f"the variable {name[:60]}", sent=False)
            if entry.row.appends_path and name.upper() == "PATH" and entry.here.environ.get(name):
                between = ";" if entry.here.platform == "win32" else ":"
                value = f"${{env:{name}}}{between}{value}"
            found[name] = Secret(value)
    for name, default, required in _declared(entry):
        if default is not None:
            found[name] = Secret(Secret.escaped(default))
        elif required:
            found[name] = Secret(f"${{env:{name}}}")
            if not entry.here.environ.get(name):
                hint = f"to diagnose with it, set {name[:80]} where this command runs"
                what = f"the package needs the variable {name[:80]}"
                entry.note("CFG058", "info", what, hint, entry.slots["env_list"].at)
    return found


def _declared(entry: Entry) -> list[tuple[str, str | None, bool]]:
    given, made = entry.value("env_list"), []
    for variable in given if isinstance(given, list) else ():
        if not isinstance(variable, dict) or not isinstance(variable.get("name"), str):
            continue
        value = variable.get("value", variable.get("default"))
        text = value if isinstance(value, str) else None
        made.append((variable["name"], text, bool(variable.get("isRequired"))))
    return made


def _from_file(entry: Entry) -> dict[str, Secret]:
    """The variables of an ``envFile``, which the client reads as well; they are no references."""
    slot = entry.slots.get("env_file")
    text = entry.text("env_file")
    if slot is None or not text:
        return {}
    name = plain(entry, text, slot.at, "the name of the file")
    if name is None:
        return {}
    from diagnose.connector.dialects.env_file import read_env_file

    try:
        return read_env_file(name, entry.folder or entry.here.cwd)
    except UsageError as problem:
        severity: Literal["error", "warning"] = "error" if entry.row.env_file_needed else "warning"
        entry.note("CFG018", severity, f"envFile: {problem.what}", "correct the path", slot.at)
        return {}


def working_directory(entry: Entry) -> str | None:
    """Where the process is started: what the entry says, or the project that its file belongs to."""
    text, slot = entry.text("cwd"), entry.slots.get("cwd")
    if text and slot is not None:
        return template(entry, _at_home(entry, text), slot.at, "the working directory", sent=False)
    return entry.folder
