"""What a healthy run sends: connections and HTTP requests, as the server counted them."""

from __future__ import annotations

from collections.abc import Iterator

from diagnose_lab import Lab
from figures import Figure
from processes import DIAGNOSE, cost_of

__all__ = ["figures"]

_REQUESTS = {
    "healthy-modern": ["server/discover", "tools/list", "tools/call"],
    "healthy-modern-tls": ["server/discover", "tools/list", "tools/call"],
    "healthy-modern-pages": None,
    "healthy-legacy": None,
}
"""What may be sent; None where no budget says it, and the list is printed."""


def figures(rounds: int) -> Iterator[Figure]:
    """Per healthy scenario; nothing here is a matter of time, so one run is enough."""
    with Lab() as lab:
        for name, wanted in _REQUESTS.items():
            with lab.start(name) as running:
                cost_of([*DIAGNOSE, running.url, "--json", *running.args], running.env)
                sent = [record.rpc_method or record.method for record in running.log]
                yield Figure(
                    what=f"connections, {name}",
                    value=running.connections,
                    unit="",
                    budget=1,
                    detail="accepted by the server",
                )
                yield Figure(
                    what=f"HTTP requests, {name}",
                    value=len(sent),
                    unit="",
                    budget=len(wanted) if wanted else None,
                    detail=", ".join(sent),
                )
