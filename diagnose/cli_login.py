"""``diagnose login``: a run whose sixth step gets a token, and the words to the person who logs in."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from diagnose.cli_delivery import is_terminal, note, say
from diagnose.cli_run import Printing, diagnose_and_print, exit_code_of, printing_of, run, unset
from diagnose.cli_target import Asked, connector_of, options_of, over_http
from diagnose.cli_words import Seconds
from diagnose.errors import ExitCode

if TYPE_CHECKING:
    from diagnose.model import Report

__all__ = ["login"]

_SHARED = (
    *("target", "format", "as_json", "report", "quiet", "verbose", "color", "timeout", "step_timeout"),
    *("era", "transport", "config", "header", "ca_bundle", "client_cert", "client_key", "proxy"),
    *("resolver", "resolve", "fail_on", "exit_by_step"),
)
"""What ``run`` takes and a login takes as well."""

_OWN: tuple[click.Parameter, ...] = (
    click.Option(
        ["--open/--no-open", "open_"], default=None, help="Open the browser without asking, or never."
    ),
    click.Option(
        ["--port"], type=click.IntRange(1, 65535), metavar="N", help="Port of the callback on this machine."
    ),
    click.Option(["--client-id"], metavar="ID", help="Use this client, and register none."),
    click.Option(["--scope"], metavar="'S ...'", help="Ask for these scopes instead of the server's."),
    click.Option(["--issuer"], metavar="URL", help="Log in only if this is the authorization server."),
    click.Option(
        ["--wait"], type=Seconds(), default=300.0, help="How long somebody may take to log in [default: 300]."
    ),
)


def _login(
    target: str,
    *,
    open_: bool | None,
    port: int | None,
    client_id: str | None,
    scope: str | None,
    issuer: str | None,
    wait: float,
    fail_on: str,
    exit_by_step: bool,
    **given: Any,
) -> int:
    printing, described = printing_of(given)
    asked = Asked(**{**unset(), **described, "until": "token_validity", "no_login": True})
    from dataclasses import replace

    from diagnose.api import start
    from diagnose.oauth.log_in import check_store, to_log_in

    connector, credential = to_log_in(
        over_http(connector_of(target, asked)), client_id=client_id, scope=scope, issuer=issuer
    )
    if credential.needs_person:
        check_store(connector.url, os.environ)
    options = replace(options_of(asked), login=True, login_timeout=wait, login_port=port)
    started = start(connector, options=options)
    started.ctx.person = _Terminal(opens=open_)
    # A progress display that moves the cursor would write over the URL.
    found, delivered = diagnose_and_print(started, replace(printing, quiet=True))
    code = exit_code_of(started, found, fail_on, exit_by_step)
    if code == ExitCode.PASSED:
        _tell(found, printing)
    return code if delivered or code else ExitCode.USAGE


login = click.Command(
    "login",
    callback=_login,
    params=[parameter for parameter in run.params if parameter.name in _SHARED] + list(_OWN),
    help="""Log in to TARGET and keep the token: steps 1 to 5, then the login, then a first request with it.

    The URL to log in at is printed; --open opens it in the browser, and so does your word on a terminal.
    Exit codes are those of run; 130 also when you stop waiting.""",
)


def _tell(found: Report, printing: Printing) -> None:
    """Where the login is and how long it lasts: after the text on stdout, else on stderr."""
    step = next(step for step in found.steps if step.id == "token_validity")
    got = step.facts.get("acquired")
    if not isinstance(got, Mapping):
        say("the server needs no login: nothing was asked for and nothing is kept")
        return
    end = f"until {got['expires_at']}" if "expires_at" in got else "and it does not say until when"
    renewal = "it renews itself" if got["renews_itself"] else "it does not renew itself: log in again then"
    lines = (
        f"Logged in at {got['issuer']}.",
        f"Kept in    {got['kept_in']}",
        f"Scopes     {got.get('scope', 'not told')}",
        f"Good       {end}; {renewal}.",
    )
    if printing.format == "text" and sys.stdout is not None:
        sys.stdout.write("\n" + "\n".join(f"  {line}" for line in lines) + "\n")
        sys.stdout.flush()
    elif not printing.quiet:
        note("\n".join(lines))


class _Terminal:
    """The person at the terminal. ``opens``: True opens the browser, False never, None asks."""

    def __init__(self, *, opens: bool | None) -> None:
        self._opens = opens
        self._asked = False
        self._browser: set[asyncio.Task[None]] = set()

    def registering(self, endpoint: str) -> None:
        say(f"a client will be registered at {endpoint}; --client-id ID uses one that is there already")

    async def visit(self, url: str) -> None:
        note(f"Log in at this URL; the browser brings the answer back to this machine:\n\n{url}\n")
        if self._opens is None and is_terminal(sys.stdin) and is_terminal(sys.stderr):
            self._ask(url)
        elif self._opens:
            self._open(url)

    def _ask(self, url: str) -> None:
        """Ask without waiting: whoever copies the URL need not answer."""
        loop = asyncio.get_running_loop()

        def answered() -> None:
            loop.remove_reader(sys.stdin)
            self._asked = False
            if sys.stdin.readline().strip().lower() in ("y", "yes"):
                self._open(url)

        try:
            loop.add_reader(sys.stdin, answered)
        except NotImplementedError:  # Windows' loop watches no console
            note("--open opens it in the browser.")
            return
        self._asked = True
        sys.stderr.write("Open it in the browser? [y/N] ")
        sys.stderr.flush()

    def over(self) -> None:
        if self._asked:  # the question stands there without an answer
            asyncio.get_running_loop().remove_reader(sys.stdin)
            note("")

    def _open(self, url: str) -> None:
        task = asyncio.get_running_loop().create_task(_browse(url))
        self._browser.add(task)
        task.add_done_callback(self._browser.discard)


async def _browse(url: str) -> None:
    from diagnose.oauth.browser import opened_in_browser

    if not await opened_in_browser(url):
        say("the browser could not be opened: open the URL above in one")
