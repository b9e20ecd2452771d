"""``diagnose URL --json`` beside a script on the official SDK that makes the same exchange."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from figures import Figure, median, spread
from processes import DIAGNOSE, HERE, cost_of, sdk_server

__all__ = ["figures"]

_ERAS = {"modern": "auto", "legacy": "legacy"}
"""The era of the comparison, and what both sides are told: the server speaks both."""


def figures(rounds: int) -> Iterator[Figure]:
    """The ratio of the medians, per era; the sides take turns, so that both see the same machine."""
    with sdk_server() as url:
        for era, mode in _ERAS.items():
            ours = [*DIAGNOSE, url, "--json", "--era", mode]
            theirs = [sys.executable, str(HERE / "sdk_script.py"), url, mode]
            cost_of(ours), cost_of(theirs)  # once unmeasured: files in the page cache, bytecode written
            pairs = [(cost_of(ours), cost_of(theirs)) for _ in range(rounds)]
            mine, other = [pair[0].wall for pair in pairs], [pair[1].wall for pair in pairs]
            cpu = median([pair[0].cpu for pair in pairs]) / median([pair[1].cpu for pair in pairs])
            yield Figure(
                what=f"whole process, {era}, against the SDK script",
                value=round(median(mine) / median(other), 3),
                unit="x",
                budget=0.30 if era == "modern" else None,
                detail=f"{median(mine) * 1000:.0f} ms ({spread(mine, 1000)}) against "
                f"{median(other) * 1000:.0f} ms ({spread(other, 1000)}), CPU {cpu:.2f} x, {rounds} rounds",
            )
