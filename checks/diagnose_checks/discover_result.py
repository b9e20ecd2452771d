"""The DiscoverResult of 2026-07-28, checked on the raw JSON.

Three members are required by the schema and still missing in the field: resultType, ttlMs and cacheScope.
Their absence is tolerated by the official SDK on this one result; a wrong value is not (both seen with
2.3.0): the SDK then takes the server for a legacy one, without a word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from diagnose.records import record
from diagnose_checks.result_shape import Defect, capability_defects, kind_of, optional_text

__all__ = ["SERVER_INFO", "Discovery", "read_discovery"]

SERVER_INFO = "io.modelcontextprotocol/serverInfo"
_RESULT_TYPES = ("complete", "input_required")
_SCOPES = ("public", "private")
_MOST_VERSIONS, _LONGEST_VERSION = 50, 40


@record
class Discovery:
    """What a DiscoverResult says. ``hints`` are the missing or odd members that the SDK reads past."""

    versions: tuple[str, ...]
    defects: tuple[Defect, ...]
    hints: tuple[Defect, ...]

    @property
    def valid(self) -> bool:
        """Whether the official SDK takes this server for a modern one."""
        return not any(defect.fatal for defect in self.defects)


def read_discovery(result: Mapping[str, Any]) -> Discovery:
    """Read one DiscoverResult."""
    listed = result.get("supportedVersions")
    texts = [item for item in listed if isinstance(item, str)] if isinstance(listed, list) else []
    versions = tuple(item[:_LONGEST_VERSION] for item in texts[:_MOST_VERSIONS])
    return Discovery(versions=versions, defects=tuple(_defects(result)), hints=tuple(_hints(result)))


def _defects(result: Mapping[str, Any]) -> Iterator[Defect]:
    yield from _versions(result)
    yield from capability_defects(result)
    yield from optional_text(result, "instructions", "")
    if "_meta" in result and not isinstance(result["_meta"], Mapping | None):
        yield Defect(pointer="/_meta", expected="an object", observed=kind_of(result["_meta"]))
    if "ttlMs" in result and not _is_ttl(result["ttlMs"]):
        expected = "a whole number of milliseconds, 0 or more"
        yield Defect(pointer="/ttlMs", expected=expected, observed=kind_of(result["ttlMs"]))
    if "cacheScope" in result and result["cacheScope"] not in _SCOPES:
        yield Defect(
            pointer="/cacheScope", expected='"public" or "private"', observed=kind_of(result["cacheScope"])
        )
    if "resultType" in result and not isinstance(result["resultType"], str):
        yield Defect(pointer="/resultType", expected='"complete"', observed=kind_of(result["resultType"]))


def _is_ttl(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _versions(result: Mapping[str, Any]) -> Iterator[Defect]:
    expected = "an array of protocol versions"
    if "supportedVersions" not in result:
        yield Defect(pointer="/supportedVersions", expected=f"{expected}, required", observed="absent")
        return
    listed = result["supportedVersions"]
    if not isinstance(listed, list):
        yield Defect(pointer="/supportedVersions", expected=expected, observed=kind_of(listed))
        return
    for index, item in enumerate(listed):
        if not isinstance(item, str):
            yield Defect(pointer=f"/supportedVersions/{index}", expected="text", observed=kind_of(item))
            return
    if not listed:
        yield Defect(
            pointer="/supportedVersions",
            expected="at least one version",
            observed="an empty array",
            refused_by="",
        )


def _hints(result: Mapping[str, Any]) -> Iterator[Defect]:
    rows = (
        ("resultType", '"complete", required'),
        ("ttlMs", "a whole number of milliseconds, required"),
        ("cacheScope", '"public" or "private", required'),
    )
    for name, expected in rows:
        if name not in result:
            yield Defect(pointer=f"/{name}", expected=expected, observed="absent", refused_by="")
    kind = result.get("resultType")
    if isinstance(kind, str) and kind not in _RESULT_TYPES:
        yield Defect(pointer="/resultType", expected='"complete"', observed=kind_of(kind), refused_by="")
