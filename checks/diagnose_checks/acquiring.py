"""Getting a token in step 6: for a connector that fetches its own, and for a person who asked to log in.

What step 5 judged is all that the flow may use, and a credential of another issuer stays at home.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from diagnose.connector import OAuth2Credential
from diagnose.context import Context
from diagnose.errors import UsageError
from diagnose.records import record
from diagnose.step import Evidence, Fault
from diagnose.wire.reach import reach_of
from diagnose.wire.recording import RecordingTransport
from diagnose.wire.rpc import MODERN_VERSION
from diagnose.wire.threads import in_daemon_thread
from diagnose_checks.acquisition_faults import (
    failed_key,
    failed_port,
    fault_of_failure,
    late,
    stray_hits,
)
from diagnose_checks.facts import AuthFacts, DnsFacts, HttpFacts
from diagnose_checks.second_opening import opened_again
from diagnose_checks.token_response import judge_token_response, response_finding

if TYPE_CHECKING:
    from diagnose.oauth.acquisition import Acquired, Flow, FlowClient, Interaction
    from diagnose.oauth.callback import Redirect
    from diagnose.oauth.record import StoredLogin

__all__ = ["Opened", "acquires", "open_with_new_token"]

_ENDPOINT_S = 10.0
_SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749 3.3


@record
class Opened:
    """The endpoint as it answers the new token; ``acquired`` is what the report says of it."""

    http: HttpFacts
    acquired: Mapping[str, Any]


def acquires(ctx: Context, http: HttpFacts, auth: AuthFacts) -> bool:
    """Whether a token is to be got: the door is closed, the way is known, and the credential lacks it."""
    credential = ctx.connector.credential
    if not isinstance(credential, OAuth2Credential) or credential.access_token is not None:
        return False
    known = auth._server_metadata is not None
    somebody = not credential.needs_person or (ctx.options.login and ctx.person is not None)
    return http.challenged and known and somebody


async def open_with_new_token(ctx: Context, http: HttpFacts, auth: AuthFacts, dns: DnsFacts | None) -> Opened:
    """Get a token, keep it where a person logged in, and say the first message with it. Raises Fault."""
    # The SDK and what drives it cost more than a whole run, and nobody else needs them.
    from diagnose.oauth.acquisition import AcquisitionFailed, acquire
    from diagnose.oauth.callback import PortUnavailable
    from diagnose.oauth.client_key import KeyUnusable
    from diagnose.oauth.registered_client import remove_registration

    credential = ctx.connector.credential
    assert isinstance(credential, OAuth2Credential)
    _check_issuer(credential, auth)
    try:
        flow = await _chosen(ctx, credential, http, auth, dns)
        ctx.if_late(lambda: late(flow))
        acquired = await acquire(flow)
    except KeyUnusable as problem:
        raise failed_key(credential, str(problem)) from problem
    except PortUnavailable as problem:
        raise failed_port(flow, str(problem)) from problem
    except AcquisitionFailed as problem:
        raise fault_of_failure(ctx, flow, problem) from problem
    login = acquired.login
    _note(ctx, credential, acquired)
    ctx.login = login
    filled = login.filled_in(credential, f"a login at {login.issuer} in this run")
    ctx.connector = ctx.connector.model_copy(update={"credential": filled})
    place, refused = "this run alone", False
    try:
        again = await opened_again(ctx, http)
        refused = again._opening.status == 401
    finally:
        # What the server refuses takes the place of no older login; what it never answered may be good.
        if credential.needs_person and not refused:
            place = await _kept(ctx, login)
    if refused:
        await remove_registration(flow, acquired.registration)
    shown = {
        "grant_type": credential.grant_type,
        "issuer": login.issuer,
        "client": flow.client.registration,
        "kept_in": place,
        "scope": login.scope,
        "expires_at": login.expires_at.isoformat() if login.expires_at else None,
        "renews_itself": login.refresh_token is not None or not credential.needs_person,
    }
    told = {name: value for name, value in shown.items() if value is not None}
    return Opened(http=again, acquired=told)


def _note(ctx: Context, credential: OAuth2Credential, acquired: Acquired) -> None:
    """What is odd about a token that was got all the same."""
    login, answer = acquired.login, acquired.answer
    problems = judge_token_response(
        answer.status, answer.headers, answer.value, asked_scope=acquired.asked_scope
    )
    if problems:
        ctx.add(response_finding(problems, endpoint=login.token_endpoint, exchange=answer.exchange))
    if acquired.stray:
        ctx.add(stray_hits(acquired.stray))
    if credential.needs_person and login.refresh_token is None:
        observed = Evidence(label="refresh_token", expected="a refresh token", observed="absent")
        end = login.expires_at.isoformat() if login.expires_at else "an end that it does not tell"
        ctx.warn("TOK045", observed, exchange=answer.exchange, issuer=login.issuer, end=end)


async def _kept(ctx: Context, login: StoredLogin) -> str:
    from diagnose.oauth.store import open_store

    store = open_store(ctx.environ)
    return await in_daemon_thread(lambda: store.put(login))


async def _chosen(
    ctx: Context, credential: OAuth2Credential, http: HttpFacts, auth: AuthFacts, dns: DnsFacts | None
) -> Flow:
    """The flow with the client that an earlier login registered, where that is still good."""
    from diagnose.oauth.registered_client import reusable, still_good
    from diagnose.oauth.store import open_store

    flow = _flow(ctx, credential, http, auth, dns)
    ctx.closing.push_async_callback(flow.wire.aclose)
    if flow.client.registration != "dynamic" or flow.interaction is None:
        return flow
    url, issuer = ctx.connector.url, flow.issuer
    login = await in_daemon_thread(lambda: open_store(ctx.environ).find(url, issuer))
    if login is None or not reusable(login, ctx.clock()):
        return flow
    redirect = _redirect_again(login, credential, ctx.options.login_port)
    if redirect is None:
        return flow
    earlier = dataclasses.replace(
        flow,
        client=dataclasses.replace(
            flow.client,
            client_id=login.client_id,
            client_secret=login.client_secret,
            method=login.token_endpoint_auth_method,
        ),
        interaction=dataclasses.replace(flow.interaction, redirect=redirect),
    )
    ctx.redactor.register(*login.secrets())
    return earlier if await still_good(earlier, login) else flow


def _redirect_again(login: StoredLogin, credential: OAuth2Credential, port: int | None) -> Redirect | None:
    """The callback that the earlier client registered; None where this login asks for another one."""
    from diagnose.oauth.callback import redirect_of

    registered = redirect_of(login.redirect_uri)
    if registered is None or not registered.port or credential.redirect_uri not in (None, login.redirect_uri):
        return None
    return registered if port in (None, registered.port) else None


def _check_issuer(credential: OAuth2Credential, auth: AuthFacts) -> None:
    """RFC 9700 4.4: what belongs to one authorization server is never shown to another. Raises Fault."""
    if credential.issuer is None or _same_issuer(credential.issuer, auth.issuer):
        return
    evidence = Evidence(
        label="issuer",
        expected=credential.issuer,
        observed=auth.issuer or "absent",
        where=auth.metadata_url,
    )
    raise Fault("TOK043", evidence, configured=credential.issuer, found=auth.issuer or "no issuer")


def _same_issuer(configured: str, found: str | None) -> bool:
    # A slash at the end is the SDK's to judge: it belongs to the same server in any case.
    return found is not None and configured.rstrip("/") == found.rstrip("/")


def _flow(
    ctx: Context, credential: OAuth2Credential, http: HttpFacts, auth: AuthFacts, dns: DnsFacts | None
) -> Flow:
    from diagnose.oauth.acquisition import Flow
    from diagnose.oauth.flow_transport import Judged
    from diagnose.oauth.vetted import VettedTransport

    assert auth._server_metadata is not None
    addresses = dns._addresses if dns is not None and dns._proxy is None else None
    reach = reach_of(ctx.origin, addresses)
    vetted = VettedTransport(
        reach=reach,
        resolver=ctx.resolver,
        network=ctx.connector.network,
        environ=ctx.environ,
    )
    judged = Judged(
        endpoint=ctx.connector.url,
        resource_url=auth.resource_metadata_url,
        resource=_resource(credential, auth),
        server=auth._server_metadata,
        scope=_scope(credential, auth),
    )
    return Flow(
        judged=judged,
        client=_client(ctx, credential, auth),
        issuer=auth.issuer or "",
        protocol_version=MODERN_VERSION if http._channel.era == "modern" else None,
        wire=RecordingTransport(
            vetted,
            ctx.recorder,
            ctx.redactor,
            step=ctx.step_id,
            body_limit=ctx.options.limits.metadata,
        ),
        redactor=ctx.redactor,
        clock=ctx.clock,
        seconds=_ENDPOINT_S,
        refuse=reach.refuse_url,
        interaction=_interaction(ctx, credential) if credential.needs_person else None,
    )


def _resource(credential: OAuth2Credential, auth: AuthFacts) -> Mapping[str, Any] | None:
    """The resource metadata, with the authorization server that was judged as the only one."""
    if auth._resource_metadata is None:
        return None
    listed = auth.authorization_servers or ()
    walked = next(
        (server for server in listed if _same_issuer(server, auth.issuer)), next(iter(listed), None)
    )
    judged: dict[str, Any] = {"authorization_servers": [walked]}
    if credential.resource is not None:
        judged["resource"] = credential.resource
    return {**auth._resource_metadata, **judged}


def _scope(credential: OAuth2Credential, auth: AuthFacts) -> str | None:
    words = credential.scope.split() if credential.scope is not None else auth.scopes or ()
    return " ".join(word for word in words if _SCOPE_TOKEN.fullmatch(word)) or None


def _client(ctx: Context, credential: OAuth2Credential, auth: AuthFacts) -> FlowClient:
    from diagnose.oauth.configured_client import configured_client

    client = configured_client(credential, ctx.environ)
    if credential.client_id is not None:
        return client
    documented = bool((auth.registration or {}).get("client_id_metadata_document"))
    if credential.client_id_metadata_url is None or not documented:
        return dataclasses.replace(client, registration="dynamic")
    url = credential.client_id_metadata_url
    return dataclasses.replace(client, registration="client_id_metadata_document", metadata_url=url)


def _interaction(ctx: Context, credential: OAuth2Credential) -> Interaction:
    from diagnose.oauth.acquisition import Interaction
    from diagnose.oauth.callback import redirect_of

    redirect = redirect_of(credential.redirect_uri, ctx.options.login_port)
    if redirect is None:
        raise UsageError(
            "CFG019",
            "the redirect_uri is no place on this machine, so the login could not come back",
            where="credential",
            hint='register one such as "http://127.0.0.1:8765/callback" and name it here',
        )
    assert ctx.person is not None
    return Interaction(
        person=ctx.person,
        redirect=redirect,
        seconds=ctx.options.login_timeout,
        waiting=ctx.waiting_for_person,
    )
