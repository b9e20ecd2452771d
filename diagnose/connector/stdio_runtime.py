"""The production session of a process: the official SDK's client starts the very same command.

The SDK merges its own short list of variables over what it is given; a connector that inherits nothing
gets that list here all the same.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TextIO

from diagnose.connector.launch import launch_of
from diagnose.wire.envelope import MODERN_VERSION
from diagnose.wire.threads import in_daemon_thread

if TYPE_CHECKING:
    import mcp

    from diagnose.connector.model import Connector

__all__ = ["open_process_session"]

_MODES: Mapping[str, str] = {"auto": "auto", "legacy": "legacy", "modern": MODERN_VERSION}


@asynccontextmanager
async def open_process_session(
    connector: Connector, environ: Mapping[str, str] | None = None, errlog: TextIO | None = None
) -> AsyncIterator[mcp.Client]:
    """Start the process as production does and give the SDK's client; leaving the block ends the process.

    ``errlog`` (default: stderr) is an open file that gets the server's stderr. Raises UsageError for an
    unset reference, OSError where the process does not start, and what the SDK raises.
    """
    environ = os.environ if environ is None else environ
    process = connector.stdio
    assert process is not None, "a process has a stdio transport"
    launch = launch_of(process, environ)
    sdk = await in_daemon_thread(_import_sdk)
    command, *args = launch.argv
    server = sdk.StdioServerParameters(command=command, args=args, env=dict(launch.env), cwd=launch.cwd)
    streams = sdk.stdio_client(server, errlog=errlog or sys.stderr)
    async with sdk.Client(streams, mode=_MODES[connector.era]) as client:
        yield client


def _import_sdk() -> Any:
    import mcp

    return mcp
