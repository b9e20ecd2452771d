"""From the slots of an entry to a Connector; an entry that makes none has noted why."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from diagnose.connector.credential import (
    ApiKeyCredential,
    BearerCredential,
    HeadersCredential,
    NoCredential,
    OAuth2Credential,
)
from diagnose.connector.dialects.documents import Path_
from diagnose.connector.dialects.entry import Entry
from diagnose.connector.dialects.transports import argv_of, decide, environment_of, working_directory
from diagnose.connector.dialects.values import is_token, plain, secret, texts_by_name, variables_in
from diagnose.connector.model import (
    Connector,
    HttpTransport,
    NetworkSettings,
    Source,
    StdioTransport,
    ToolPolicy,
)
from diagnose.connector.secret import Secret
from diagnose.errors import UsageError
from diagnose.records import record

__all__ = ["Made", "make"]

_SECRET_HEADER = re.compile(r"api[-_]?key|token|secret|cookie|passw|credential|(?:^|-)key$", re.IGNORECASE)
_BEARER = re.compile(r"bearer +", re.IGNORECASE)


@record
class Made:
    """What an entry came to, for those who look at it afterwards."""

    transport: str | None = None
    url: str | None = None
    written: str | None = None
    """The URL as the file has it, where that is not what it came to."""
    argv: tuple[str, ...] = ()
    headers: Mapping[str, tuple[str, Path_]] = field(default_factory=dict)
    connector: Connector | None = None


def make(entry: Entry) -> Made:
    """The connector of an entry, and what is in it."""
    transport = decide(entry)
    if transport is None:
        return Made()
    if transport == "stdio":
        return _process(entry)
    return _endpoint(entry, transport)


def _process(entry: Entry) -> Made:
    argv = argv_of(entry)
    if argv is None:
        return Made(transport="stdio")
    command, args = argv
    values = {
        "command": command,
        "args": args,
        "env": environment_of(entry),
        "cwd": working_directory(entry),
        "inherits": entry.row.inherits,
    }
    made = Made(transport="stdio", argv=(command, *args))
    return _connector(entry, made, StdioTransport, values, {})


def _endpoint(entry: Entry, transport: str) -> Made:
    slot = entry.slots.get("http_url") if "url" not in entry.slots else entry.slots["url"]
    assert slot is not None  # decide() saw one
    headers = _headers(entry)
    if not isinstance(slot.value, str):
        entry.wrong_kind(slot, "the URL as a string")
        return Made(transport=transport, headers=headers)
    if slot.value.partition(":")[0] in entry.row.sockets:
        what = f"{entry.row.title} reaches this socket, and no run does"
        entry.note("CFG064", "info", what, "it cannot be diagnosed from outside", slot.at)
        return Made(transport=transport, headers=headers)
    url = plain(entry, slot.value, slot.at, "the URL")
    filled = variables_in(entry, slot.value)
    made = Made(
        transport=transport, url=url, headers=headers, written=slot.value if filled or url is None else None
    )
    if url is None:
        return made
    if entry.row.https_only and url.lower().startswith("http:"):
        entry.note(
            "CFG044",
            "error",
            f"{entry.row.title} takes https only, also for this host",
            "put TLS in front of the server, or use a client that takes http",
            slot.at,
        )
    sent = {
        name: secret(entry, text, at, f"the header {name[:60]}", sent=True)
        for name, (text, at) in headers.items()
    }
    sent.update(_from_environment(entry))
    credential = _credential(entry, sent)
    if url.partition("://")[2].partition("/")[0].count("@"):
        return _connector(entry, made, None, {"url": url}, sent, credential)
    return _connector(
        entry, made, HttpTransport, {"type": transport, "url": url, "filled": filled}, sent, credential
    )


def _headers(entry: Entry) -> dict[str, tuple[str, Path_]]:
    slot = entry.slots.get("headers")
    found = texts_by_name(entry, slot, numbers=False) if slot is not None else {}
    listed = entry.slots.get("headers_list")
    for index, header in enumerate(listed.value if listed and isinstance(listed.value, list) else ()):
        if not isinstance(header, dict) or not isinstance(header.get("name"), str) or listed is None:
            continue
        value = header.get("value", header.get("default"))
        at = (*listed.at, index)
        if isinstance(value, str):
            found[header["name"]] = (value, at)
        elif header.get("isRequired"):
            found[header["name"]] = (f"{{{header['name']}}}", at)
    return found


def _from_environment(entry: Entry) -> dict[str, Secret]:
    slot = entry.slots.get("headers_env")
    named = texts_by_name(entry, slot, numbers=False) if slot is not None else {}
    return {name: _variable(entry, variable, at) for name, (variable, at) in named.items()}


def _variable(entry: Entry, name: str, at: Path_) -> Secret:
    """A variable that the file names. A token in its place is not repeated."""
    if is_token(name) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        what = "this is the value, and the field takes the name of a variable"
        entry.note("CFG009", "error", what, "export the value as a variable and write the name of that", at)
        return Secret("")
    if not entry.here.environ.get(name):
        state = "is empty" if name in entry.here.environ else "is not set"
        hint = f"set it where {entry.row.title} is started: export {name[:80]}=..."
        entry.note("CFG003", "warning", f"the environment variable {name[:80]} {state} here", hint, at)
    return Secret(f"${{env:{name}}}")


def _credential(entry: Entry, headers: dict[str, Secret]) -> Any:
    """What proves who the connector is; the header that carries it leaves ``headers``."""
    given = _given(entry)
    oauth = _oauth(entry)
    names = [name for name in headers if name.lower() == "authorization"]
    chosen = given or oauth
    if names and (given is not None or len(names) > 1):
        what = "Authorization is given twice, and which of the two is sent is up to the client"
        entry.note("CFG052", "warning", what, "keep one of them")
    if names:
        authorization = headers.pop(names[-1])
        for name in names[:-1]:
            del headers[name]
        return given or _authorization(authorization)
    if chosen is not None:
        return chosen
    keys = [name for name in headers if _SECRET_HEADER.search(name)]
    if len(keys) == 1:
        return ApiKeyCredential(name=keys[0], value=headers.pop(keys[0]))
    return HeadersCredential(headers={name: headers.pop(name) for name in keys}) if keys else NoCredential()


def _authorization(value: Secret) -> Any:
    token = value.without(_BEARER)
    if token is not None:
        return BearerCredential(token=token)
    return HeadersCredential(headers={"Authorization": value})


def _given(entry: Entry) -> Any:
    for slot_name in ("bearer_env", "api_key_env"):
        slot, name = entry.slots.get(slot_name), entry.text(slot_name)
        if slot is not None and name:
            value = _variable(entry, name, slot.at)
            return BearerCredential(token=value) if slot_name == "bearer_env" else _formatted(entry, value)
    slot, text = entry.slots.get("bearer"), entry.text("bearer")
    if slot is not None and text:
        return BearerCredential(token=secret(entry, text, slot.at, slot.field, sent=True))
    slot = entry.slots.get("bearer_or_oauth")
    if slot is not None and isinstance(slot.value, str):
        if slot.value == "oauth":
            return OAuth2Credential()
        return BearerCredential(token=secret(entry, slot.value, slot.at, slot.field, sent=True))
    slot, text = entry.slots.get("api_key"), entry.text("api_key")
    if slot is None or not text:
        return None
    value = secret(entry, text, slot.at, slot.field, sent=True)
    kind, header = entry.text("api_key_kind") or "bearer", entry.text("api_key_header")
    if kind == "bearer":
        return BearerCredential(token=value)
    if kind == "basic":
        return ApiKeyCredential(name="Authorization", prefix="Basic ", value=value)
    return ApiKeyCredential(name=header or "X-Api-Key", value=value)


def _formatted(entry: Entry, value: Secret) -> Any:
    header = entry.text("api_key_header") or "Authorization"
    prefix, found, after = (entry.text("api_key_format") or "Bearer {token}").partition("{token}")
    if not found or after:
        slot = entry.slots["api_key_format"]
        entry.note(
            "CFG019", "error", "the format has no {token} at its end", 'write "Bearer {token}"', slot.at
        )
    if header.lower() == "authorization" and prefix == "Bearer ":
        return BearerCredential(token=value)
    return ApiKeyCredential(name=header, prefix=prefix, value=value)


def _oauth(entry: Entry) -> Any:
    scope = entry.value("oauth.scope")
    values: dict[str, Any] = {}
    if isinstance(scope, list) and all(isinstance(part, str) for part in scope):
        values["scope"] = " ".join(scope)
    elif isinstance(scope, str):
        values["scope"] = scope
    for name in ("client_id", "issuer", "redirect_uri", "resource", "client_id_metadata_url"):
        slot, text = entry.slots.get(f"oauth.{name}"), entry.text(f"oauth.{name}")
        filled = plain(entry, text, slot.at, slot.field) if slot is not None and text else None
        if filled:
            values[name] = filled
    if not values:
        return None
    slot, text = entry.slots.get("oauth.client_secret"), entry.text("oauth.client_secret")
    if slot is not None and text and "issuer" in values:
        return OAuth2Credential(**values, client_secret=secret(entry, text, slot.at, slot.field, sent=True))
    entry.keep("oauth.client_secret")  # for an issuer that only the client finds out
    return OAuth2Credential(**values)


def _tools(entry: Entry) -> ToolPolicy:
    lists: dict[str, tuple[str, ...]] = {}
    for name in ("include", "exclude"):
        given = entry.value(f"tools.{name}")
        if isinstance(given, list) and all(isinstance(tool, str) for tool in given) and given != ["*"]:
            lists[name] = tuple(given)
        elif given is not None:
            entry.keep(f"tools.{name}")
    return ToolPolicy(include=lists.get("include"), exclude=lists.get("exclude", ()))


def _network(entry: Entry) -> NetworkSettings:
    values: dict[str, Any] = {}
    for name in ("ca_bundle", "client_certificate", "client_key", "proxy"):
        slot = entry.slots.get(f"network.{name}")
        value = (
            slot.value[0]
            if slot and isinstance(slot.value, list) and len(slot.value) == 1
            else slot and slot.value
        )
        if isinstance(value, str) and value:
            folder = Path(entry.document.file).parent
            values[name] = value if name == "proxy" else folder / Path(value).expanduser()
        elif value is not None:
            entry.keep(f"network.{name}")
    return NetworkSettings(**values)


def _connector(
    entry: Entry,
    made: Made,
    kind: type[HttpTransport | StdioTransport] | None,
    values: Mapping[str, Any],
    headers: Mapping[str, Secret],
    credential: Any = None,
) -> Made:
    """The finished connector. What the model refuses is noted at the place of the address."""
    origin = entry.origin()
    source = Source(format=entry.row.title, file=origin.file, line=origin.line, pointer=origin.pointer)
    slot = entry.slots.get("url") or entry.slots.get("http_url")
    given: dict[str, Any] = {
        "name": entry.name or "unnamed",
        "headers": headers,
        "tools": _tools(entry),
        "network": _network(entry),
        "source": source,
    }
    if credential is not None and credential.type != "none":
        given["credential"] = credential
    try:
        found = Connector(**(values if kind is None else {"transport": kind(**values)}), **given)
    except UsageError as problem:
        what = (
            problem.what if not _shows_secret(str(problem)) else "the address cannot be used as it is written"
        )
        hint = problem.hint if what == problem.what else "write it as https://HOST/PATH"
        entry.note(problem.code, "error", what, hint, slot.at if slot else None)
        return made
    except ValidationError:
        entry.note(
            "CFG019",
            "error",
            "the entry is not what a connector is made of",
            "compare it with the client's documentation",
        )
        return made
    return Made(
        transport=made.transport,
        url=made.url,
        argv=made.argv,
        headers=made.headers,
        written=made.written,
        connector=found,
    )


def _shows_secret(text: str) -> bool:
    # An address that cannot be read cannot be taken apart either, so any long word in it may be a key.
    return bool(re.search(r"(?=[\w~.+=-]*[0-9])[\w~+=-]{20,}|[?&][^=\s]+=|//[^/\s]*@", text))
