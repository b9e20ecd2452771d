"""Waiting for the first answers of a process: is it silent, does it start, or does it install?

A clock alone cannot tell a cold start from a hang, so the process and its children are watched: who of them
works, whether a launcher still fetches what it is to start, and whether anybody has read our request.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Literal

from diagnose.context import Context
from diagnose.records import record
from diagnose.wire.failure import ExchangeFailed
from diagnose.wire.process_tree import Activity, Member, launcher_of
from diagnose.wire.rpc_reply import RpcReply
from diagnose.wire.stdio_channel import Pending, StdioChannel
from diagnose.wire.stdout_lines import Line, joined_message

__all__ = ["Patience", "Waited", "wait_for"]

Why = Literal[
    "answered", "ended", "silent", "not-read", "installing", "encoding", "glued", "framing", "too-large"
]

_TICK = 0.1
_REMOTE = frozenset({"docker", "podman"})
"""Launchers whose server is no descendant, so that its work cannot be seen from here."""
_A_PACKAGE = 1024 * 1024
"""Bytes: npx with a warm cache writes a tenth of it, and many times it when it fetches a server."""
_GLUED = re.compile(rb'^\s*[^{\s].*\{.*"jsonrpc"', re.DOTALL)
_PULLING = re.compile(r"unable to find image|pulling from|pulling fs layer|trying to pull", re.IGNORECASE)
_PULLED = re.compile(r"^status: |^digest: |writing manifest", re.IGNORECASE)


@record
class Patience:
    """Seconds: how long an idle process may be silent, how long one that works or has not read may be."""

    idle: float = 2.0
    working: float = 10.0
    reserve: float = 5.0
    """What an installation must leave of the run's time, where that is at least twice as long."""


@record
class Waited:
    """How the wait ended. ``installed`` says which launcher was at work before the server.

    ``fetched`` is whether it is seen to have put something on the disk: with a warm cache it does not.
    """

    why: Why
    reply: RpcReply | None = None
    problem: ExchangeFailed | None = None
    line: Line | None = None
    installed: str | None = None
    fetched: bool = False
    seconds: float = 0.0


@dataclass(slots=True, kw_only=True)
class _Watch:
    channel: StdioChannel
    ctx: Context
    began: float
    budget: float
    busy_at: float
    activity: Activity
    installed: str | None = None
    pulled: bool = False
    looked_at: float = 0.0
    read_at: float = 0.0
    installed_until: float | None = None
    leaf: Member | None = field(default=None)

    def look(self) -> None:
        """See what the family has done since the last look."""
        process, now = self.channel.process, self.ctx.monotonic()
        seen = process.family.activity()
        if seen.since(self.activity):
            self.busy_at, self.activity = now, seen
        self.leaf = process.family.launcher()

    @property
    def remote(self) -> bool:
        return launcher_of(self.channel.process.launch.argv) in _REMOTE

    def installing(self) -> str | None:
        """What is being fetched right now."""
        process = self.channel.process
        lines = [said.text.strip() for said in process.stderr.lines]
        pulling = [line for line in lines if _PULLING.search(line)]
        if pulling and not any(_PULLED.search(line) for line in lines):
            self.pulled = True
            return pulling[-1][:200]
        unread = process.unread()
        if self.leaf is None or unread == 0 or (self.remote and self.leaf.pid == process.pid):
            return None
        return f"{self.leaf.shown} is at work and has not started a server"

    def fetched(self) -> bool:
        """Whether more came onto the disk than a launcher writes that has all it needs."""
        if self.installed is None or self.pulled:
            return self.pulled
        written = self.channel.process.family.activity().written
        return written is None or written > _A_PACKAGE


async def wait_for(ctx: Context, channel: StdioChannel, pending: Pending, patience: Patience) -> Waited:
    """Wait for an answer as long as there is reason to."""
    now = ctx.monotonic()
    watch = _Watch(
        channel=channel,
        ctx=ctx,
        began=now,
        budget=ctx.time_left(),
        busy_at=now,
        activity=channel.process.family.activity(),
    )
    checked = 0
    while True:
        try:
            reply = await channel.answer(pending, within=_TICK)
        except ExchangeFailed as problem:
            if problem.kind == "too-large":
                return _waited(watch, "too-large", line=pending.broken[-1], problem=problem)
            return _waited(watch, "ended", problem=problem)
        if reply is not None:
            return _waited(watch, "answered", reply=reply)
        if len(pending.broken) > checked:
            fresh, checked = pending.broken[checked:], len(pending.broken)
            spoilt = _spoilt(pending, fresh)
            if spoilt is not None:
                return _waited(watch, spoilt[0], line=spoilt[1])
        ended = _given_up(watch, patience)
        if ended is not None:
            return _last_look(watch, pending, ended)


def _waited(watch: _Watch, why: Why, **more: object) -> Waited:
    seconds = watch.ctx.monotonic() - watch.began
    return Waited(
        why=why,
        installed=watch.installed,
        fetched=watch.fetched(),
        seconds=seconds,
        **more,  # type: ignore[arg-type]
    )


def _spoilt(pending: Pending, fresh: list[Line]) -> tuple[Why, Line] | None:
    """A line that was meant to be an answer and that no client can take for one."""
    for line in fresh:
        if line.kind == "encoding" and line.speaks_rpc:
            return "encoding", line
        if line.kind == "text" and _GLUED.search(line.raw):
            return "glued", line
    last = pending.broken[-1]
    if last.raw.strip().endswith(b"}"):
        message = joined_message(pending.broken)
        if message is not None and message.get("id") == pending.request_id:
            first, count = pending.broken[0], len(pending.broken)
            return "framing", replace(first, detail=f"it stands on {count} lines, of which this is the first")
    return None


def _last_look(watch: _Watch, pending: Pending, why: Why) -> Waited:
    """An answer without its newline is silence to every client."""
    rest = watch.channel.process.open_line()
    if b'"jsonrpc"' in rest.replace(b"\x00", b""):
        now = watch.ctx.monotonic()
        encoded = b"\x00" in rest or rest.startswith(b"\xff\xfe")
        detail = "UTF-16" if encoded else "no newline after it"
        line = Line(kind="text", raw=rest, size=len(rest), at=now, detail=detail)
        return _waited(watch, "encoding" if encoded else "framing", line=line)
    return _waited(watch, why)


def _given_up(watch: _Watch, patience: Patience) -> Why | None:
    ctx, process = watch.ctx, watch.channel.process
    now = ctx.monotonic()
    if now - watch.looked_at < 2 * _TICK:
        return None
    watch.looked_at = now
    watch.look()
    fetching = watch.installing()
    if fetching is not None:
        watch.installed, watch.installed_until = fetching, None
        return "installing" if ctx.time_left() < min(patience.reserve, watch.budget / 2) else None
    if ctx.time_left() < 1.0:
        return "not-read" if process.unread() else "silent"
    if watch.installed is not None and watch.installed_until is None:
        watch.installed_until = now  # what was fetched has to start now: its time begins here
    waited = now - (watch.installed_until or watch.began)
    if process.unread():
        watch.read_at = now
        return "not-read" if waited >= patience.working else None
    idle = now - max(watch.busy_at, watch.read_at)
    enough = patience.working if watch.remote else patience.idle
    return "silent" if idle >= enough or waited >= patience.working else None
