"""The judgement of ``jsonschema`` on a value, in a process of its own that a deadline can kill.

Run as ``python -m diagnose_checks.schema_process``: ``{"schema", "value"}`` on stdin, a verdict on stdout.
A pattern of the server's is only ever matched here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from diagnose.wire.threads import in_daemon_thread
from diagnose_checks.schema_bounds import pointer_to
from diagnose_checks.schema_match import Mismatch, Undecided

__all__ = ["mismatch_in_process"]

BUDGET = 2.0
"""Seconds, including the start of the interpreter."""
_MEMORY = 512 * 1024 * 1024
_SHOWN = 400
# What an interpreter needs to start; the rest of the environment may hold secrets.
_INHERITED = ("PATH", "SYSTEMROOT", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LANG", "TMP", "TEMP")


async def mismatch_in_process(
    schema: Any, value: Any, *, environ: Mapping[str, str], seconds: float = BUDGET
) -> Mismatch | None:
    """What :func:`schema_match.first_mismatch` answers, by ``jsonschema``. Raises Undecided."""
    question = json.dumps({"schema": schema, "value": value}).encode()

    def ask() -> bytes:
        answer = subprocess.run(
            [sys.executable, "-P", "-m", "diagnose_checks.schema_process"],
            input=question,
            capture_output=True,
            timeout=min(seconds, BUDGET),
            env={name: environ[name] for name in _INHERITED if name in environ},
            check=False,
        )
        return answer.stdout

    try:
        answer = json.loads(await in_daemon_thread(ask))
    except subprocess.TimeoutExpired as problem:
        raise Undecided(f"no verdict within {min(seconds, BUDGET):.1f} s") from problem
    except (OSError, ValueError) as problem:
        raise Undecided("the process that evaluates schemas ended without a verdict") from problem
    if "undecided" in answer:
        raise Undecided(answer["undecided"])
    return Mismatch(**answer["mismatch"]) if answer["mismatch"] is not None else None


def _judge(schema: Any, value: Any) -> dict[str, Any]:
    from jsonschema.exceptions import SchemaError, best_match
    from jsonschema.validators import Draft202012Validator, validator_for
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
        error = best_match(kind(schema, registry=Registry()).iter_errors(value))
    except SchemaError as problem:
        return {"undecided": f"the schema is not valid: {problem.message[:_SHOWN]}"}
    except Unresolvable as problem:
        return {"undecided": f"a reference cannot be resolved: {str(problem)[:_SHOWN]}"}
    except RecursionError:
        return {"undecided": "the schema refers to itself without end"}
    if error is None:
        return {"mismatch": None}
    path = tuple(str(part) for part in error.absolute_path)
    return {
        "mismatch": {
            "pointer": pointer_to(path),
            "keyword": str(error.validator),
            "expected": f"{error.validator}: {json.dumps(error.validator_value)[:_SHOWN]}",
            "observed": json.dumps(error.instance)[:_SHOWN],
        }
    }


def _limit_resources() -> None:
    try:
        import resource
    except ImportError:  # not a POSIX system: the deadline alone bounds it
        return
    resource.setrlimit(resource.RLIMIT_CPU, (int(BUDGET) + 1, int(BUDGET) + 1))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


if __name__ == "__main__":
    _limit_resources()
    _question = json.loads(sys.stdin.buffer.read())
    json.dump(_judge(_question["schema"], _question["value"]), sys.stdout)
