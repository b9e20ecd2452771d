"""Wall time at a distance, against the round trips that nobody can avoid."""

from __future__ import annotations

import json
from collections.abc import Iterator

from delay_relay import DelayRelay
from diagnose_lab import Lab
from figures import Figure, median, spread
from processes import DIAGNOSE, cost_of

__all__ = ["figures"]

ROUND_TRIP = 0.050

_UNAVOIDABLE = {
    "healthy-modern": ("server/discover", "tools/list", "tools/call"),
    "healthy-modern-tls": ("TLS 1.3", "server/discover", "tools/list", "tools/call"),
    "healthy-legacy": ("initialize", "notifications/initialized", "tools/list", "tools/call", "DELETE"),
}
"""Each waits for the answer to the one before it. The TCP handshake is not among them: the relay's kernel
completes it at once."""


def figures(rounds: int) -> Iterator[Figure]:
    """The run's own duration over the floor, per scenario."""
    with Lab() as lab:
        for name, waits in _UNAVOIDABLE.items():
            with (
                lab.start(name) as running,
                DelayRelay("127.0.0.1", running.port, round_trip=ROUND_TRIP) as relay,
            ):
                url = running.url.replace(f":{running.port}/", f":{relay.port}/")
                era = ["--era", "legacy"] if "legacy" in name else []
                command = [*DIAGNOSE, url, "--json", *running.args, *era]
                cost_of(command)
                took = [_duration(cost_of(command).stdout) for _ in range(rounds)]
                floor = len(waits) * ROUND_TRIP
                yield Figure(
                    what=f"wall time at {ROUND_TRIP * 1000:.0f} ms, {name}",
                    value=round(median(took) / floor, 3),
                    unit="x floor",
                    budget=1.15,
                    detail=f"{median(took) * 1000:.0f} ms ({spread(took, 1000)}), "
                    f"floor {floor * 1000:.0f} ms: {', '.join(waits)}",
                )


def _duration(report: str) -> float:
    return float(json.loads(report)["run"]["duration_ms"]) / 1000
