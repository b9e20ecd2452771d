"""From options to what the library takes: a Connector and Options. Nothing is sent, everything is checked."""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from diagnose.cli_words import refuse
from diagnose.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from diagnose.connector import Connector, Problem
    from diagnose.options import Options

__all__ = [
    "Asked",
    "NoConnector",
    "Target",
    "connector_of",
    "options_of",
    "over_http",
    "readable",
    "target_of",
    "typed_connector",
    "with_stored_login",
]

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# A token can be spelt like a name, and what is refused as a name must not be a token that is quoted.
_TOKEN_LIKE = re.compile(r"(?=.*[0-9])(?=.*[a-z])\w{20,}")
_SCHEMES_WITHOUT_TOKEN = ("bearer", "basic", "token")
_LOOKS_LIKE_URL = re.compile(r"[/.:@]|^localhost$")


class NoConnector(UsageError):
    """The target is a name, and no connector has it."""

    exit_code = ExitCode.NO_CONNECTOR


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The options of ``run`` that describe the connector and the run, as click read them."""

    timeout: float
    step_timeout: float | None
    only: str | None
    until: str | None
    era: Literal["auto", "legacy", "modern"] | None
    transport: Literal["auto", "streamable-http", "sse"] | None
    sample: Literal["auto", "never"]
    tool: str | None
    confirm: tuple[str, ...]
    args: str | None
    header: tuple[str, ...]
    bearer_env: str | None
    credentials_from: str | None
    no_login: bool
    ca_bundle: str | None
    client_cert: str | None
    client_key: str | None
    proxy: str | None
    resolver: str | None
    resolve: tuple[str, ...]
    config: str | None
    deep: bool
    register: bool
    refresh: bool
    runtime: bool
    command: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    cwd: str | None = None
    inherit: Literal["safe", "all", "none"] | None = None
    allow_stdio: bool = False


def options_of(asked: Asked) -> Options:
    """The run's settings. Raises UsageError."""
    from diagnose.options import Options

    if asked.only and asked.until:
        raise refuse("--only and --until exclude each other", "give one of them")
    if asked.args is not None and asked.tool is None:
        raise refuse("--args has no tool to go to", "name it: --tool NAME --args JSON")
    if asked.tool is not None and asked.sample == "never":
        raise refuse("--sample never and --tool exclude each other", "leave one of them out")
    return Options(
        timeout=asked.timeout,
        step_timeout=asked.step_timeout,
        only=asked.only,
        until=asked.until,
        sample=asked.sample,
        tool=asked.tool,
        arguments=_arguments(asked.args) if asked.args is not None else {},
        confirmed_tools=frozenset(asked.confirm),
        deep=asked.deep,
        register=asked.register,
        refresh=asked.refresh,
        stored_login=not asked.no_login,
        runtime=asked.runtime,
        allow_stdio=asked.allow_stdio,
    )


def _arguments(text: str) -> dict[str, Any]:
    def no_constant(word: str) -> Any:
        raise ValueError(f"{word} is no JSON")

    hint = """write one JSON object in single quotes, such as --args '{"query": "tea"}'"""
    try:
        value = json.loads(text, parse_constant=no_constant)
    except json.JSONDecodeError as problem:
        what = f"the JSON is broken at line {problem.lineno}, column {problem.colno}: {problem.msg}"
        raise refuse(what, hint, where="--args", code="CFG012") from None
    except ValueError as problem:
        raise refuse(str(problem), hint, where="--args", code="CFG012") from None
    except RecursionError:
        raise refuse("the JSON is nested too deeply", hint, where="--args", code="CFG012") from None
    if not isinstance(value, dict):
        raise refuse(
            f"the arguments are a JSON {_kind(value)}, not an object", hint, where="--args", code="CFG012"
        )
    return value


def _kind(value: object) -> str:
    kinds = {list: "array", str: "string", bool: "boolean", type(None): "null"}
    return kinds.get(type(value), "number")


@dataclass(frozen=True, kw_only=True)
class Target:
    """What is diagnosed, and what is wrong with its definition although it can be used."""

    connector: Connector
    problems: tuple[Problem, ...] = ()


def connector_of(target: str | None, asked: Asked, environ: Mapping[str, str] = os.environ) -> Connector:
    """The connector of :func:`target_of`. Raises UsageError, NoConnector for a name."""
    return target_of(target, asked, environ).connector


def target_of(target: str | None, asked: Asked, environ: Mapping[str, str] = os.environ) -> Target:
    """The connector that ``target`` and the options describe, with the login that ``environ`` leads to.

    Raises UsageError, NoConnector for a name.
    """
    if asked.command:
        from diagnose.cli_process import typed_process

        return Target(connector=typed_process(target, asked))
    if target is None:
        raise refuse(
            "there is no target",
            "type a URL, such as diagnose https://mcp.example.com/mcp, or a command after two dashes: "
            "diagnose -- npx -y some-server",
        )
    found = _described(target, asked, environ)
    if found.connector.stdio is not None:
        return found
    return replace(found, connector=_borrowing(found.connector, asked, environ))


def _described(target: str, asked: Asked, environ: Mapping[str, str]) -> Target:
    if asked.config is not None:
        from diagnose.cli_config import configured

        return configured(target, asked.config, asked)
    if "://" in target or not target.strip():
        return Target(connector=typed_connector(target, asked))
    from diagnose.cli_named import is_client_and_name, named, no_connector

    found = named(target, asked, environ)
    if found is not None:
        return found
    if not _LOOKS_LIKE_URL.search(target) or is_client_and_name(target):
        raise no_connector(target, environ)
    return Target(connector=typed_connector(target, asked))  # says what the URL lacks


def over_http(connector: Connector) -> Connector:
    """The same connector. Raises UsageError for one that starts a process: a login is for a URL."""
    if connector.stdio is not None:
        raise refuse(
            f"the connector {connector.name} starts a process, and a login is for a URL",
            "give the URL that its command leads to, if it is a bridge: diagnose list shows it",
        )
    return connector


def with_stored_login(connector: Connector, environ: Mapping[str, str]) -> Connector:
    """The connector with its stored login, where nothing says which credential it has. Raises UsageError."""
    from diagnose.connector import OAuth2Credential
    from diagnose.oauth.store import open_store

    silent = "credential" not in connector.model_fields_set and not connector.secret_headers
    if connector.stdio is not None or not silent or not open_store(environ).holds(connector.url):
        return connector
    return connector.model_copy(update={"credential": OAuth2Credential()})


def _borrowing(connector: Connector, asked: Asked, environ: Mapping[str, str]) -> Connector:
    """The connector with the login that ``--credentials-from`` names. Raises UsageError."""
    if asked.credentials_from is None:
        return connector if asked.no_login else with_stored_login(connector, environ)
    own = connector.credential
    if own.type != "none" and getattr(own, "access_token", "") is not None:
        raise refuse("--credentials-from and the connector's own credential are two", "give one of them")
    from diagnose.oauth.borrowed import borrow

    borrowed = borrow(asked.credentials_from, connector, environ)
    return connector.model_copy(update={"credential": borrowed})


def typed_connector(target: str, asked: Asked) -> Connector:
    """The connector of a URL and of what the options say, and of nothing else. Raises UsageError."""
    from diagnose.connector import Connector, HttpTransport, NetworkSettings
    from diagnose.connector.address import parse_endpoint

    if asked.env or asked.cwd or asked.inherit:
        raise refuse(
            "--env, --cwd and --inherit are for a process",
            "name its command after two dashes: -- COMMAND ARGS",
        )
    endpoint = parse_endpoint(target)
    headers, authorization = _headers(asked.header)
    given: dict[str, Any] = {
        "url": target,
        "transport": HttpTransport(type=asked.transport or "auto", url=endpoint.url),
        "headers": headers,
        "era": asked.era or "auto",
        "network": NetworkSettings(
            ca_bundle=readable(asked.ca_bundle, "--ca-bundle"),
            client_certificate=readable(asked.client_cert, "--client-cert"),
            client_key=_client_key(asked),
            proxy=asked.proxy,
            resolver=_name_server(asked.resolver),
            resolve=dict(_pin(entry) for entry in asked.resolve),
        ),
    }
    credential = _credential(authorization, asked.bearer_env, userinfo=endpoint.username is not None)
    if credential is not None:
        given["credential"] = credential
    return Connector(**given)


def _credential(authorization: str | None, variable: str | None, *, userinfo: bool) -> Any:
    from diagnose.connector import BearerCredential, HeadersCredential, Secret

    given = [
        name
        for name, present in (
            ("--header Authorization", authorization is not None),
            ("--bearer-env", variable is not None),
            ("the user name in the URL", userinfo),
        )
        if present
    ]
    if len(given) > 1:
        raise refuse(f"{' and '.join(given)} are two credentials", "give one of them")
    if variable is not None:
        if not _VARIABLE.fullmatch(variable) or _TOKEN_LIKE.fullmatch(variable):
            raise refuse(
                "the value is not the name of a variable",
                "name the variable, not the token: export TOKEN=... and --bearer-env TOKEN",
                where="--bearer-env",
                code="CFG009",
            )
        return BearerCredential(token=Secret(f"${{env:{variable}}}"))
    if authorization is None:
        return None
    scheme, _, rest = authorization.partition(" ")
    # Only this exact spelling is what a bearer credential sends; any other is sent as it was typed.
    if scheme == "Bearer" and rest:
        return BearerCredential(token=Secret(rest))
    return HeadersCredential(headers={"Authorization": Secret(authorization)})


def _headers(entries: tuple[str, ...]) -> tuple[dict[str, Any], str | None]:
    """The connector's headers, and the value of Authorization. A value is never quoted: it may be a token."""
    from diagnose.connector import Secret
    from diagnose.connector.credential import HEADER_NAME

    headers: dict[str, Any] = {}
    authorization: str | None = None
    seen: set[str] = set()
    for position, entry in enumerate(entries, 1):
        name, colon, value = entry.partition(":")
        name, value = name.rstrip(), value.strip(" \t")
        which = f"--header, the {_ordinal(position)}" if len(entries) > 1 else "--header"
        if not colon:
            raise _bad_header("the header has no colon", which)
        if not HEADER_NAME.fullmatch(name):
            raise _bad_header("the text before the colon is no header name", which)
        if not value:
            raise _bad_header(f"the header {name} has no value", which)
        if name.lower() in seen:
            raise _bad_header(f"the header {name} is given twice", which)
        _check_filled(name, value, which)
        seen.add(name.lower())
        if name.lower() == "authorization":
            authorization = value
        else:
            headers[name] = Secret(value)
    return headers, authorization


def _check_filled(name: str, value: str, where: str) -> None:
    """Refuse a value that somebody forgot to fill in. Raises UsageError CFG003 or CFG016."""
    from diagnose.connector.secret import is_unfilled

    if value.lower() in _SCHEMES_WITHOUT_TOKEN:
        raise refuse(
            f"the header {name} holds the word {value} and nothing after it",
            "the variable in the command was probably empty; set it, or use --bearer-env VAR",
            where=where,
            code="CFG003",
        )
    if is_unfilled(value):
        raise refuse(
            f"the value of the header {name} is a placeholder that nothing fills in",
            'write ${env:NAME} in single quotes, or let the shell fill in "$NAME" in double quotes',
            where=where,
            code="CFG016",
        )


def _bad_header(what: str, where: str) -> UsageError:
    return refuse(what, "write it as --header 'Name: value'", where=where, code="CFG004")


def _ordinal(number: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")


def _client_key(asked: Asked) -> Path | None:
    if asked.client_key and not asked.client_cert and asked.config is None:
        raise refuse("--client-key has no certificate to go with", "name it too: --client-cert PEM")
    return readable(asked.client_key, "--client-key")


def readable(text: str | None, option: str) -> Path | None:
    """The path of a file that is there to be read. Raises UsageError CFG005."""
    if text is None:
        return None
    path = Path(text)
    if not path.exists():
        what = f"the file {text!r} does not exist"
    elif not os.access(path, os.R_OK):
        what = f"the file {text!r} cannot be read by this user"
    else:
        return path
    raise refuse(what, "name a PEM file that this user may read", where=option, code="CFG005")


def _name_server(text: str | None) -> str | None:
    from diagnose.context import split_resolver

    if text is not None:
        split_resolver(text)
    return text


def _pin(entry: str) -> tuple[str, str]:
    """``HOST:PORT:IP`` as the resolver takes it; IPv6 literals may stand in brackets."""
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+):(\d{1,5}):(.+)", entry)
    try:
        if found is None:
            raise ValueError
        host, port, ip = found.group(1).strip("[]"), int(found.group(2)), found.group(3).strip("[]")
        if not 0 < port < 65536:
            raise ValueError
        return f"{host}:{port}", str(ipaddress.ip_address(ip))
    except ValueError:
        raise refuse(
            f"{entry[:100]!r} pins nothing",
            "write it as HOST:PORT:IP, such as mcp.example.com:443:203.0.113.7",
            where="--resolve",
        ) from None
