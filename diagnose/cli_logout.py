"""``diagnose logout``: what ``diagnose login`` stored is removed, and revoked where that is asked for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from diagnose.cli_delivery import printed, say
from diagnose.cli_words import refuse
from diagnose.display import display
from diagnose.errors import ExitCode

if TYPE_CHECKING:
    from diagnose.connector import Connector
    from diagnose.oauth.record import StoredLogin

__all__ = ["logout"]


@click.command()
@click.argument("target", required=False)
@click.option("--all", "everything", is_flag=True, help="Forget every stored login.")
@click.option("--issuer", metavar="URL", help="Only the login at this authorization server.")
@click.option("--revoke", is_flag=True, help="First tell the authorization server that the tokens are void.")
@click.option("--config", metavar="FILE", help="Take the connector from this file.")
@click.option("--ca-bundle", metavar="PEM", help="Trust these roots instead of the runtime's.")
@click.option("--proxy", metavar="URL", help="Go through this HTTP proxy; an empty text goes directly.")
def logout(target: str | None, **given: Any) -> int:
    """Forget the login that is stored for TARGET, a URL or the name of a connector in --config FILE.

    Nothing is sent unless --revoke is given. Exit codes: 0 forgotten, 1 forgotten but not revoked,
    2 usage, 3 nothing was stored.
    """
    everything, issuer = given["everything"], given["issuer"]
    if everything == (target is not None):
        raise refuse("logout takes one target, or --all", "name the URL that you logged in to")
    if everything and (issuer is not None or given["config"] is not None):
        raise refuse("--all stands alone", "leave out --issuer and --config")
    from diagnose.oauth.store import open_store

    store = open_store(os.environ)
    connector = _connector(target, given) if target is not None else None
    wanted = store.logins_for(connector.url, issuer) if connector is not None else store.all()
    if not wanted:
        say(_nothing(target, issuer))
        return ExitCode.NO_CONNECTOR
    revoked = True
    for login in wanted:
        if given["revoke"]:
            revoked &= _revoked(connector or _connector(login.resource_url, given), login)
        place = store.place(login)
        store.remove(login.resource_url, login.issuer)
        printed(f"Forgotten: {_shown(login)}, from {place}\n")
    return ExitCode.PASSED if revoked else ExitCode.FAILED


def _connector(target: str, given: dict[str, Any]) -> Connector:
    """The connector of TARGET, with the options of the network. Raises UsageError."""
    from diagnose.cli_run import run
    from diagnose.cli_target import Asked, connector_of

    defaults = run.make_context("run", [target]).params
    named = {name: given[name] for name in ("config", "ca_bundle", "proxy")}
    asked = {name: defaults[name] for name in Asked.__dataclass_fields__}
    return connector_of(target, Asked(**{**asked, **named, "no_login": True}))


def _shown(login: StoredLogin) -> str:
    from diagnose.connector.address import secrets_in
    from diagnose.redact import Redactor

    hide = Redactor()
    hide.register(*secrets_in(login.resource_url), *login.secrets())
    return display(hide.text(f"the login for {login.resource_url} at {login.issuer}"))


def _nothing(target: str | None, issuer: str | None) -> str:
    if target is None:
        return "no login is stored"
    at = f" at {issuer}" if issuer else ""
    return f"no login for {target}{at} is stored"


def _revoked(connector: Connector, login: StoredLogin) -> bool:
    """Revoke the tokens of ``login`` and say what came of it."""
    import asyncio

    from diagnose.context import default_resolver
    from diagnose.oauth.revocation import revoke

    refused = asyncio.run(revoke(connector, login, os.environ, default_resolver(connector)))
    if refused is not None:
        say(f"the login at {login.issuer} was not revoked: {refused}")
    return refused is None
