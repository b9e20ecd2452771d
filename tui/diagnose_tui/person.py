"""The person of a run, who sits at the app: asked from the thread of the runs, answered on the screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from textual.app import App

from diagnose.connector import Connector
from diagnose.options import Options
from diagnose_tui.screens.login import LoginScreen

if TYPE_CHECKING:
    from diagnose.oauth.acquisition import Person

__all__ = ["ScreenPerson", "after_login", "login_options"]


class ScreenPerson:
    """Shows the URL to log in at. ``refused`` is called on the app's loop where somebody does not want to.

    The three methods of a :class:`~diagnose.oauth.acquisition.Person` are called on the loop of the run, in
    another thread: they post a callback, which Textual does thread-safely, and wait for nothing.
    """

    def __init__(self, app: App[Any], refused: Callable[[], None]) -> None:
        self._app = app
        self._refused = refused
        self._registered_at: str | None = None
        self._screen: LoginScreen | None = None

    def registering(self, endpoint: str) -> None:
        self._registered_at = endpoint

    async def visit(self, url: str) -> None:
        self._post(self._show, url)

    def over(self) -> None:
        self._post(self._close)

    def _post(self, callback: Callable[..., object], *given: object) -> None:
        # The app may end before its last run does: then nobody is there to be told.
        with suppress(RuntimeError):
            self._app.call_later(callback, *given)

    def _show(self, url: str) -> None:
        self._close()  # of two requests in one run the later one counts
        self._screen = LoginScreen(url, self._registered_at)
        self._app.push_screen(self._screen, self._answered)

    def _close(self) -> None:
        if self._screen is not None:
            self._screen.over()

    def _answered(self, waited: bool | None) -> None:
        self._screen = None
        if waited is False:
            self._refused()


def login_options(
    connector: Connector, options: Options, environ: Mapping[str, str]
) -> tuple[Connector, Options]:
    """What a run that lets somebody log in takes, as ``diagnose login`` has it: no tokens, and steps 1 to 6.

    The run after it takes the connector of :func:`after_login` and the options as they were. The store is
    looked at here, which may wait for the keyring: call it in a thread. Raises UsageError for a
    connector that nobody can log in to, and where a token could not be kept.
    """
    from diagnose.cli_target import over_http
    from diagnose.oauth.log_in import check_store, to_log_in

    ready, credential = to_log_in(over_http(connector))
    if credential.needs_person:
        check_store(ready.url, environ)
    return ready, replace(options, login=True, only=None, until="token_validity")


def after_login(connector: Connector) -> Connector:
    """The connector whose tokens are those of the stored login, and stay so when that is renewed."""
    from diagnose.oauth.log_in import to_log_in

    return to_log_in(connector)[0]


if TYPE_CHECKING:
    _person: type[Person] = ScreenPerson
