"""Structural caps on a stranger's JSON Schema, applied before anything evaluates it.

Everything here is linear in the size of the document and follows no pattern and no network address. Why the
caps: ``^(a+)+$`` hangs a backtracking matcher, 2^25 paths through ``$ref`` hang every evaluator, and 3,000
objects under ``uniqueItems`` cost jsonschema 12.7 s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from diagnose.records import record

__all__ = [
    "Excess",
    "dangling_reference",
    "excess",
    "external_reference",
    "local_target",
    "pointer_to",
    "positions",
]

MAX_POSITIONS = 2000
MAX_DEPTH = 32
MAX_PATTERN = 256
MAX_EXPANSION = 10_000

# JSON Schema 2020-12 and the older drafts: keywords whose value is a schema, a list or a map of schemas.
# Instance data (default, examples, const, enum) is deliberately absent.
_ONE = frozenset(
    {
        "additionalProperties",
        "additionalItems",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
_LIST = frozenset({"allOf", "anyOf", "oneOf", "prefixItems", "items"})
_MAP = frozenset(
    {"properties", "patternProperties", "dependentSchemas", "dependencies", "$defs", "definitions"}
)
_STORED = frozenset({"$defs", "definitions"})
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")

Path = tuple[str, ...]


@record
class Excess:
    """The first cap that a schema passes."""

    pointer: str
    limit: str
    observed: str


def pointer_to(path: Path) -> str:
    """A path as a JSON pointer (RFC 6901)."""
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)


def positions(schema: Any) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Every object in a schema position, with its path; references are not followed."""
    stack: list[tuple[Path, Any]] = [((), schema)]
    while stack:
        path, node = stack.pop()
        if not isinstance(node, dict):
            continue
        yield path, node
        stack.extend((path + step, child) for step, child in reversed(list(_children(node))))


def _children(node: Mapping[str, Any], *, stored: bool = True) -> Iterator[tuple[Path, Any]]:
    # Asked of every object of every tool: the document's own few members, not every keyword there is.
    for keyword, child in node.items():
        if isinstance(child, dict):
            if keyword in _ONE:
                yield (keyword,), child
            elif keyword in _MAP and (stored or keyword not in _STORED):
                yield from (((keyword, str(name)), inner) for name, inner in child.items())
        elif isinstance(child, list) and keyword in _LIST:
            yield from (((keyword, str(index)), inner) for index, inner in enumerate(child))


def excess(schema: Any) -> Excess | None:
    """The first cap that ``schema`` passes, or None where it may be evaluated."""
    for count, (path, node) in enumerate(positions(schema), start=1):
        where = pointer_to(path)
        if count > MAX_POSITIONS:
            return Excess(pointer="", limit=f"{MAX_POSITIONS} subschemas", observed="more")
        if len(path) > MAX_DEPTH:
            return Excess(pointer=where, limit=f"{MAX_DEPTH} levels", observed="deeper")
        patterns = [node.get("pattern"), *_keys(node.get("patternProperties"))]
        longest = max((len(pattern) for pattern in patterns if isinstance(pattern, str)), default=0)
        if longest > MAX_PATTERN:
            limit = f"a pattern of {MAX_PATTERN} characters"
            return Excess(pointer=where, limit=limit, observed=f"{longest} characters")
    if _expansion(schema) > MAX_EXPANSION:
        limit = f"{MAX_EXPANSION} subschemas with every $ref followed"
        return Excess(pointer="", limit=limit, observed="more, a few references multiply each other")
    return None


def _keys(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, Mapping) else ()


def _expansion(root: Any) -> int:
    """How many subschemas an evaluator may visit; a recursive reference counts once."""
    cost: dict[int, int] = {}
    active: set[int] = set()
    stack: list[tuple[Any, bool]] = [(root, False)]
    while stack:
        node, children_done = stack.pop()
        if not isinstance(node, dict):
            continue
        if children_done:
            active.discard(id(node))
            total = 1 + sum(cost.get(id(child), 1) for child in _evaluated(root, node))
            cost[id(node)] = min(total, MAX_EXPANSION + 1)
        elif id(node) not in cost and id(node) not in active:
            active.add(id(node))
            stack.append((node, True))
            stack.extend((child, False) for child in _evaluated(root, node))
    return cost.get(id(root), 1)


def _evaluated(root: Any, node: Mapping[str, Any]) -> list[Any]:
    children = [child for _, child in _children(node, stored=False)]
    for keyword in _REFERENCES:
        reference = node.get(keyword)
        if isinstance(reference, str) and reference.startswith("#"):
            children.append(local_target(root, reference))
    return children


_MISSING = object()


def local_target(root: Any, reference: str) -> Any:
    """What ``#`` or ``#/...`` names inside ``root``; None where nothing is there or it is an anchor."""
    found = _follow(root, reference)
    return None if found is _MISSING else found


def _follow(root: Any, reference: str) -> Any:
    from urllib.parse import unquote

    fragment = unquote(reference.removeprefix("#"))
    if not fragment:
        return root
    if not fragment.startswith("/"):
        return _MISSING
    node = root
    for raw in fragment[1:].split("/"):
        part = raw.replace("~1", "/").replace("~0", "~")
        if isinstance(node, Mapping) and part in node:
            node = node[part]
        elif isinstance(node, list) and part.isascii() and part.isdigit() and int(part[:9]) < len(node):
            node = node[int(part[:9])]
        else:
            return _MISSING
    return node


def external_reference(schema: Any) -> tuple[str, str] | None:
    """Pointer and value of the first ``$ref`` that leaves the document, or that names nothing inside it.

    A document that carries an ``$id`` below its root is left to its author: there a relative reference has
    another base.
    """
    identifiers = {
        node["$id"].partition("#")[0] for _, node in positions(schema) if isinstance(node.get("$id"), str)
    }
    for path, node in positions(schema):
        reference = node.get("$ref")
        if not isinstance(reference, str) or reference.startswith("#"):
            continue
        base = reference.partition("#")[0]
        if not any(known == base or known.endswith("/" + base) for known in identifiers):
            return pointer_to((*path, "$ref")), reference
    return None


def dangling_reference(schema: Any) -> tuple[str, str] | None:
    """Pointer and value of the first ``#/...`` that names nothing; None with any embedded ``$id``."""
    if any(path and "$id" in node for path, node in positions(schema)):
        return None
    for path, node in positions(schema):
        reference = node.get("$ref")
        if (
            isinstance(reference, str)
            and reference.startswith("#/")
            and _follow(schema, reference) is _MISSING
        ):
            return pointer_to((*path, "$ref")), reference
    return None
