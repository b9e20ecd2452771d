"""Why a key does nothing right now: a question for each action, answered in one short sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from diagnose.records import record
from diagnose_tui.session import ORDER, Session

__all__ = ["Situation", "why_not"]


@record
class Situation:
    """What the answers depend on: rows that are ``runnable`` and in force, ``stored`` runs of this connector.

    ``masked``: names are hidden, and a form would show them.
    """

    session: Session | None
    runnable: int
    stored: int
    masked: bool = False


def _run(now: Situation) -> str | None:
    session = now.session
    if session is None:
        return "there is no connector: n types one in"
    if session.entry.kind == "report":
        return "a stored report is shown: there is nothing to run"
    if not session.runnable:
        return "the definition must be mended first"
    return "it runs already" if session.busy else None


def _cancel(now: Situation) -> str | None:
    return None if now.session is not None and now.session.busy else "nothing runs"


def _run_from(now: Situation) -> str | None:
    session = now.session
    other = _run(now)
    if session is None or other is not None:
        return other
    if session.run is None:
        return "needs a run that came to its end"
    if session.selected == ORDER[0]:
        return "that is the whole run: r"
    return session.not_resumable()


def _run_all(now: Situation) -> str | None:
    return None if now.runnable else "there is nothing to run"


def _explain(now: Situation) -> str | None:
    session = now.session
    if session is not None and (session.trouble is not None or session.finding is not None):
        return None
    return "the selected step has no finding"


def _has_session(now: Situation) -> str | None:
    return None if now.session is not None else "there is no connector"


def _has_steps(now: Situation) -> str | None:
    return None if now.session is not None and now.session.steps else "nothing has run yet"


def _form(now: Situation) -> str | None:
    return _edit(now) or ("it would show names as they are: p unmasks them first" if now.masked else None)


def _edit(now: Situation) -> str | None:
    session = now.session
    if session is None:
        return "there is no connector"
    if session.entry.connector is None:
        return "run it once first" if session.entry.kind == "demo" else "there is no connector to change"
    return None


def _tool(now: Situation) -> str | None:
    other = _edit(now)
    if other is not None:
        return other
    return None if now.session is not None and now.session.tools else "no tool is known before step 9"


def _log_in(now: Situation) -> str | None:
    session = now.session
    other = _form(now) or _run(now)
    connector = session.wanted_connector if session is not None else None
    if other is not None or session is None or connector is None:
        return other
    if connector.stdio is not None:
        return "a local process has no login"
    if connector.credential.type not in ("none", "oauth2"):
        return f"it has a {connector.credential.type} credential, which no login gives: o changes that"
    asks = next((step for step in session.steps if step.id == "auth_discovery"), None)
    asked = asks is not None and asks.facts.get("required") is not False
    return None if asked else "this server asks for no login"


def _copy(now: Situation) -> str | None:
    broken = now.session is not None and now.session.trouble is not None
    return None if broken else _has_steps(now)


def _export(now: Situation) -> str | None:
    return None if now.session is not None and now.session.report is not None else "needs a finished run"


def _diff(now: Situation) -> str | None:
    session = now.session
    if session is None or session.report is None:
        return "needs a finished run"
    here = session.before is not None and session.report is session.last
    return None if here or now.stored > 1 else "there is no earlier run"


def _history(now: Situation) -> str | None:
    return _has_session(now) or (None if now.stored else "no run is kept yet")


_QUESTIONS: Mapping[str, Callable[[Situation], str | None]] = {
    "run": _run,
    "cancel": _cancel,
    "run_from": _run_from,
    "run_all": _run_all,
    "watch": lambda now: None if now.session is not None and now.session.watched else _watch(now),
    "explain": _explain,
    "expand": _has_steps,
    "all_steps": _has_steps,
    "edit": _form,
    "tool": _tool,
    "log_in": _log_in,
    "copy": _copy,
    "export": _export,
    "history": _history,
    "diff": _diff,
}


def _watch(now: Situation) -> str | None:
    other = _run(now)
    if other is not None or now.session is None:
        return other if other != "it runs already" else None
    edited = now.session.edited
    if edited is not None and edited.options.tool in edited.options.confirmed_tools:
        return "it would call again and again what you allowed once: t picks another tool"
    return None


def why_not(action_id: str, now: Situation) -> str | None:
    """Why the action cannot be done; None where it can."""
    question = _QUESTIONS.get(action_id)
    return question(now) if question is not None else None
