"""What the first steps learn of a process; the later ones learn the same as over HTTP."""

from __future__ import annotations

from diagnose.connector.launch import Launch
from diagnose.records import record
from diagnose.step import Facts
from diagnose.wire.process import ServerProcess
from diagnose.wire.rpc_reply import RpcReply
from diagnose.wire.stdio_channel import Pending, StdioChannel

__all__ = ["EnvironmentFacts", "LocateFacts", "PipeFacts", "SpawnFacts"]


@record
class LocateFacts(Facts):
    """What is started. ``program`` is the file that the command stands for, ``interpreter`` what runs it."""

    command: str
    program: str
    interpreter: str | None = None
    working_directory: str | None = None
    launcher: str | None = None
    _launch: Launch


@record
class SpawnFacts(Facts):
    """The process runs."""

    pid: int
    started_in_ms: float
    _process: ServerProcess


@record
class EnvironmentFacts(Facts):
    """The names of the variables that the process gets; values are nowhere."""

    inherits: str
    inherited: tuple[str, ...]
    given: tuple[str, ...]


@record
class PipeFacts(Facts):
    """The process is alive after the first write, and its stdout holds JSON-RPC only, or nothing yet.

    ``_opening`` is the answer to the first message, None where none has come. ``_spoiled`` says how an
    earlier process ended that got server/discover. ``unread_bytes`` wait in its stdin.
    """

    opened_with: str
    first_answer_ms: float | None = None
    cold_start: str | None = None
    starts: int = 1
    unread_bytes: int | None = None
    stderr_lines: int = 0
    _channel: StdioChannel
    _opening: RpcReply | None
    _pending: Pending
    _spoiled: str | None = None
    _launch: Launch
