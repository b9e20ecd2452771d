"""``diagnose list --deep``: every connector up to its list of tools, and the names that two of them share."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from diagnose.cli_consent import ask_to_start
from diagnose.display import display
from diagnose.errors import UsageError
from diagnose.listing.model import Diagnosis, Duplicate, Listing

if TYPE_CHECKING:
    from diagnose.connector import Connector, Defined, Origin
    from diagnose.listing.model import Listed
    from diagnose.model import Report

__all__ = ["diagnose_all", "duplicates"]

_AT_ONCE = 4
_LAST = "list_tools"


def diagnose_all(
    listing: Listing,
    entries: tuple[Defined, ...],
    *,
    allowed: bool,
    timeout: float,
    told: Callable[[str], None],
) -> None:
    """Fill in ``diagnosis`` of each connector that is in force, and the tools that several of them have."""
    wanted: dict[int, Connector] = {}
    same: dict[int, int] = {}
    seen: dict[Origin, int] = {}
    for index, (shown, entry) in enumerate(zip(listing.connectors, entries, strict=True)):
        reason = _not_in_force(shown) or _not_sent(entry) or _not_started(entry, allowed)
        if reason is not None:
            shown.diagnosis = Diagnosis(status="not_run", summary=reason)
        elif (twin := _alike(entry, seen)) is not None:
            same[index] = twin
        elif entry.connector is not None:
            wanted[index], seen[entry.origin] = entry.connector, index
    for index, diagnosis in asyncio.run(_all(wanted, listing, timeout, told)).items():
        listing.connectors[index].diagnosis = diagnosis
    for index, twin in same.items():
        listing.connectors[index].diagnosis = listing.connectors[twin].diagnosis
    listing.duplicate_tools = duplicates(listing.connectors)


def _alike(entry: Defined, seen: Mapping[Origin, int]) -> int | None:
    """The same server with the same settings, of which one run tells enough."""
    return next((seen[twin.origin] for twin in entry.twins if not twin.differs and twin.origin in seen), None)


def _not_in_force(shown: Listed) -> str | None:
    if not shown.usable:
        return "its client cannot use it"
    if not shown.applies:
        return "it is for another project"
    if not shown.enabled:
        return "it is switched off"
    return "another definition overrides it" if shown.overridden_by is not None else None


def _not_sent(entry: Defined) -> str | None:
    """Why variables of this environment do not go where the file of a project says, unless it was named."""
    connector = entry.connector
    if connector is None or connector.stdio is not None or not connector.source.discovered:
        return None
    names = connector.sent_variables
    if entry.folder is None or not names:
        return None
    return (
        f"the file of a project sends {display(', '.join(names))} of this environment to {connector.origin}; "
        f"if it may: diagnose {display(f'{entry.client}:{entry.name}')}"
    )


def _not_started(entry: Defined, allowed: bool) -> str | None:
    if entry.connector is None:
        return None
    try:
        ask_to_start(entry.connector, allowed=allowed)
    except UsageError:
        return "it starts a process, which nobody has confirmed: look at it, then --allow-stdio"
    return None


async def _all(
    wanted: dict[int, Connector], listing: Listing, timeout: float, told: Callable[[str], None]
) -> dict[int, Diagnosis]:
    free = asyncio.Semaphore(_AT_ONCE)
    found: dict[int, Diagnosis] = {}

    async def one(index: int, connector: Connector) -> None:
        async with free:
            found[index] = await _one(connector, timeout)
        told(f"{display(listing.connectors[index].form)}: {found[index].status}")

    async with asyncio.TaskGroup() as group:
        for index, connector in wanted.items():
            group.create_task(one(index, connector))
    return found


async def _one(connector: Connector, timeout: float) -> Diagnosis:
    from diagnose.api import diagnose
    from diagnose.options import Options

    options = Options(until=_LAST, sample="never", timeout=timeout, allow_stdio=True)
    try:
        report = await diagnose(connector, options=options)
    except UsageError as problem:
        return Diagnosis(status="not_run", summary=str(display(str(problem))))
    return _diagnosis(report)


def _diagnosis(report: Report) -> Diagnosis:
    verdict = report.verdict
    names = report.step(_LAST).facts.get("names")
    return Diagnosis(
        status=verdict.status,
        failed_step=verdict.failed_step.id if verdict.failed_step else None,
        code=verdict.code,
        summary=verdict.summary,
        tools=[str(name) for name in names] if isinstance(names, list) else [],
    )


def duplicates(entries: list[Listed]) -> list[Duplicate]:
    """The tools that two connectors of one client have, and those that servers of different clients have.

    One server in two clients is no duplicate: each client has it once.
    """
    having: dict[str, list[Listed]] = defaultdict(list)
    for entry in entries:
        for tool in dict.fromkeys(entry.diagnosis.tools if entry.diagnosis else ()):
            having[tool].append(entry)
    found: list[Duplicate] = []
    for tool, several in having.items():
        for client in dict.fromkeys(entry.client for entry in several):
            same = [entry for entry in several if entry.client == client]
            if len(same) > 1:
                found.append(_duplicate(tool, same, client))
        strangers = [entry for entry in several if not _is_twin_of_any(entry, several)]
        if len({entry.client for entry in strangers}) > 1:
            found.append(_duplicate(tool, strangers, None))
    return found


def _is_twin_of_any(entry: Listed, others: list[Listed]) -> bool:
    known = {(other.client, other.name) for other in others}
    return any((twin.client, twin.name) in known for twin in entry.same_server)


def _duplicate(tool: str, entries: list[Listed], client: str | None) -> Duplicate:
    from diagnose.catalogue import page

    return Duplicate(
        code="CFG070",
        name=page("CFG070").name,
        severity="warning" if client is not None else "info",
        tool=tool,
        connectors=[entry.form for entry in entries],
        client=client,
    )
