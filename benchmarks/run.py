"""Print what the budgets of the design say and what this machine measures. Writes nothing.

python benchmarks/run.py [--json] [--rounds N] [GROUP ...]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from importlib import import_module
from importlib.metadata import version

from figures import Figure, as_table

GROUPS = {
    "process": "whole_process",
    "requests": "requests_sent",
    "distance": "round_trips",
    "memory": "memory",
    "imports": "imports",
    "cycles": "cycles",
    "paint": "app_paint",
    "frames": "app_frames",
}


def machine() -> dict[str, str]:
    """What a reader needs to place the figures; no host name and no path."""
    packages = ("connector-diagnose", "mcp", "httpx2", "pydantic", "textual")
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": str(os.cpu_count()),
        **{name: version(name) for name in packages},
    }


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks/run.py", description="Measure against the budgets.")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)} [default: all]")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--rounds", type=int, default=9, help="repetitions of what is timed [default: 9]")
    asked = parser.parse_args(argv)
    unknown = [name for name in asked.groups if name not in GROUPS]
    if unknown:
        parser.error(f"there is no group {unknown[0]!r}: choose from {', '.join(GROUPS)}")
    if not hasattr(os, "wait4"):
        parser.error("this system cannot tell what a child process used (os.wait4)")
    found: list[Figure] = []
    for group in asked.groups or GROUPS:
        print(f"measuring {group} ...", file=sys.stderr, flush=True)
        found += import_module(GROUPS[group]).figures(asked.rounds)
    described = machine()
    if asked.json:
        print(json.dumps({"machine": described, "figures": [figure.plain() for figure in found]}, indent=2))
    else:
        print(", ".join(f"{name} {value}" for name, value in described.items()))
        print(as_table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
