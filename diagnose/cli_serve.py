"""``diagnose serve --web``: the app in a browser of this machine."""

from __future__ import annotations

import contextlib
import io
import ipaddress
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from diagnose.cli_delivery import deliver, note, say
from diagnose.cli_words import refuse
from diagnose.display import display
from diagnose.errors import ExitCode
from diagnose.redact import Redactor

if TYPE_CHECKING:
    import socket

__all__ = ["serve"]

_WARNING = (
    "Whoever opens this address acts as you: the app shows your connectors, sends their credentials to their "
    "servers and starts local commands. It is there for this machine alone, and the key in it keeps other "
    "users out: pass it on to nobody. Ctrl+C ends it."
)


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": True})
@click.option("--web", is_flag=True, help="Serve the app to a browser of this machine.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Listen on this port [default: a free one]."
)
@click.option("--host", default="127.0.0.1", help="A loopback address [default: 127.0.0.1].")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[TARGET] [OPTIONS OF TUI]")
def serve(web: bool, port: int, host: str, words: tuple[str, ...]) -> int:
    """Serve the app: each page that is opened is a diagnose tui of its own, with the words given here.

    The first line on stdout is the address, with a key in it that keeps other users of this machine out.
    """
    if not web:
        raise refuse("serve does not know what to serve", "add --web: diagnose serve --web [TARGET]")
    address = _loopback(host, port)
    _check_words(words)
    _need_library()
    return _serve(_listening(address, port), words)


def _loopback(host: str, port: int) -> str:
    """The address of ``host``. Raises UsageError where others could reach it."""
    if host == "localhost":
        return "127.0.0.1"
    try:
        if ipaddress.ip_address(host).is_loopback:
            return host
    except ValueError:
        pass
    far = port or "PORT"
    raise refuse(
        f"{host} is no address of this machine alone, and whoever opens the app runs commands as you",
        f"leave --host out, and from elsewhere use a tunnel: ssh -L {far}:127.0.0.1:{far} THIS_MACHINE",
        where="--host",
    )


def _check_words(words: Sequence[str]) -> None:
    """What tui would refuse is refused here, before anybody opens a page. Raises UsageError."""
    from diagnose.cli_lab import known_scenario
    from diagnose.cli_run import unset
    from diagnose.cli_target import Asked, options_of, target_of
    from diagnose.cli_tui import tui

    if {"-h", "--help"} & set(words[: words.index("--")] if "--" in words else words):
        raise refuse("this is no help for serve", "type diagnose serve --help, or diagnose tui --help")
    given = dict(tui.make_context("diagnose tui", list(words)).params)
    asked = Asked(**{name: given.get(name, value) for name, value in unset().items()})
    options_of(asked)
    for name in given["demo"]:
        known_scenario(name)
    if given.get("target") is not None or asked.command:
        target_of(given.get("target"), asked)


def _need_library() -> None:
    from importlib.util import find_spec

    if find_spec("textual_serve") is None:
        raise refuse(
            "a page in a browser needs textual-serve, which is not installed",
            'pip install "connector-diagnose[web]"',
            where="--web",
        )


def _listening(host: str, port: int) -> socket.socket:
    from diagnose_tui.browser.serving import listening

    try:
        return listening(host, port)
    except OSError as problem:
        reason = (problem.strerror or "unknown reason").lower()
        raise refuse(
            f"port {port} of {host} cannot be used: {reason}", "name a free port, or none", where="--port"
        ) from problem


def _serve(sock: socket.socket, words: Sequence[str]) -> int:
    import asyncio

    from diagnose_tui.browser.serving import serve_app

    told: list[bool] = []

    def announce(url: str) -> None:
        told.append(deliver(url))
        note(f"diagnose: {_WARNING}")
        # Whatever a library prints from now on is no address.
        beside.enter_context(contextlib.redirect_stdout(_Beside()))

    argv = [
        sys.executable,
        "-P",
        "-m",
        "diagnose_tui.browser.visitor",
        *words,
    ]  # -P: no module of this folder
    with contextlib.ExitStack() as beside:
        asyncio.run(serve_app(argv, sock, announce=announce, say=say))
    return ExitCode.PASSED if all(told) else ExitCode.USAGE


class _Beside(io.TextIOBase):
    """Text of the app's own stderr, which textual-serve prints on stdout, as text on ours."""

    def write(self, text: str) -> int:
        note(str(display(Redactor().text(text.rstrip("\n")), layout=True)))
        return len(text)
