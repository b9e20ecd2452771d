"""Peak memory on answers that do not end, above that of a healthy run."""

from __future__ import annotations

from collections.abc import Iterator

from diagnose_lab import Lab, Scenario
from diagnose_lab.scenario import parse
from figures import Figure, median
from processes import DIAGNOSE, cost_of

__all__ = ["figures"]

_HEAD = 'title = "t"\ntransport = "streamable-http"\nera = "modern"\n'
_FLOODS = {
    "400 MB behind gzip, first answer": '[[rule]]\nwhen = {method = "server/discover"}\ngzip_bomb = 400\n',
    "400 MB behind gzip, tools/list": '[[rule]]\nwhen = {method = "tools/list"}\ngzip_bomb = 400\n',
    "endless answer, first answer": '[[rule]]\nwhen = {method = "server/discover"}\nendless = true\n',
    "endless answer, tools/list": '[[rule]]\nwhen = {method = "tools/list"}\nendless = true\n',
    "endless event stream": (
        '[[rule]]\nwhen = {method = "tools/list"}\nsse = {notifications_forever = true}\n'
    ),
    "one event of 64 MB": '[[rule]]\nwhen = {method = "tools/list"}\nsse = {oversize_kib = 65536}\n',
}


def figures(rounds: int) -> Iterator[Figure]:
    """MiB above the peak of a healthy run of the same command."""
    with Lab() as lab:
        idle = median([_peak(lab, _scenario("")) for _ in range(min(rounds, 3))])
        yield Figure(
            what="peak memory, healthy run", value=round(idle, 1), unit="MiB", detail="the idle figure"
        )
        for what, rule in _FLOODS.items():
            peak = _peak(lab, _scenario(rule))
            yield Figure(
                what=f"memory above it, {what}",
                value=round(peak - idle, 1),
                unit="MiB",
                budget=64,
                detail=f"peak {peak:.1f} MiB",
            )


def _scenario(rule: str) -> Scenario:
    return parse(_HEAD + rule, name="memory")


def _peak(lab: Lab, scenario: Scenario) -> float:
    with lab.start(scenario) as running:
        return cost_of([*DIAGNOSE, running.url, "--json", "--step-timeout", "5", *running.args]).peak_mib
