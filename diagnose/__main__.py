"""``python -m diagnose`` and the ``diagnose`` command."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line and end the process with its exit code."""
    try:
        from diagnose.cli import main as run

        code = run()
    except KeyboardInterrupt:  # before any handler was in place: while modules were still loading
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
