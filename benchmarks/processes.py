"""Whole processes: what one costs, and the server that both sides of a comparison talk to."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["DIAGNOSE", "HERE", "Cost", "cost_of", "installed", "sdk_server"]

HERE = Path(__file__).parent
DIAGNOSE = (str(Path(sys.executable).with_name("diagnose")),)
"""The command as it is installed beside this interpreter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Seconds on the clock, seconds of CPU, the highest resident size in MiB, and what was printed."""

    wall: float
    cpu: float
    peak_mib: float
    stdout: str
    code: int


def cost_of(command: Sequence[str], environ: Mapping[str, str] | None = None) -> Cost:
    """Run a command to its end. Raises RuntimeError with its stderr where it cannot have done its work."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**installed(), **(environ or {})},
        text=True,
        encoding="utf-8",
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        stdout = process.stdout.read()
        stderr = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {stderr[-2000:]}")
    # Linux counts ru_maxrss in KiB, macOS in bytes.
    peak = usage.ru_maxrss / (1024 if sys.platform.startswith("linux") else 1024 * 1024)
    return Cost(
        wall=wall,
        cpu=usage.ru_utime + usage.ru_stime,
        peak_mib=peak,
        stdout=stdout,
        code=process.returncode,
    )


def installed() -> dict[str, str]:
    """The environment of what is measured."""
    # An installed program has its bytecode; development settings that withhold it would be measured instead.
    settings = ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONDEVMODE", "PYTHONWARNINGS")
    return {name: value for name, value in os.environ.items() if name not in settings}


@contextmanager
def sdk_server() -> Iterator[str]:
    """A server on the official SDK, of both eras, in a process of its own; gives its URL."""
    process = subprocess.Popen(
        [sys.executable, str(HERE / "sdk_server.py")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            found = re.search(r"running on (http://\S+)", line)
            if found:
                break
        else:
            raise RuntimeError("the server on the official SDK did not start")
        yield found.group(1) + "/mcp"
    finally:
        process.terminate()
        process.wait()
        process.stderr.close()
