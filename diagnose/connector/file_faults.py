"""A refused connector in one sentence: the place, what is wrong there, and the nearest thing that works.

Values are never quoted, not even a wrong discriminator: a token may stand in any of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from diagnose.connector.credential import Credential
from diagnose.connector.json_document import Place, kind_of
from diagnose.connector.model import Connector
from diagnose.errors import UsageError

__all__ = ["MOMENT", "explained", "refuse"]

_KINDS: Mapping[str, type[BaseModel]] = {
    str(kind.model_fields["type"].default): kind for kind in get_args(get_args(Credential)[0])
}

_OTHER_WORDS: Mapping[str, str] = {
    "mcpServers": 'that is the file of an MCP client; write {"connectors": [{"name": ..., "url": ...}]}',
    "servers": 'that is the file of an MCP client; write {"connectors": [{"name": ..., "url": ...}]}',
    "expires_in": "write expires_at, an absolute time such as 2026-01-31T12:00:00Z",
}
"""Names that other formats use, with what is meant by them here."""

_WANTED: Mapping[str, str] = {
    "string_type": "a string in double quotes",
    "is_instance_of": "a string in double quotes",
    "path_type": "a path in double quotes",
    "tuple_type": "a list of strings",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "mapping_type": "an object",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "string_too_short": "a string that is not empty",
    "string_unicode": "text without lone surrogates",
}
MOMENT = "a time with its zone, such as 2026-01-31T12:00:00Z"


def refuse(place: Place, what: str, hint: str) -> UsageError:
    """A wrong connector, in the words of a UsageError."""
    return UsageError("CFG019", what, where=str(place), hint=hint)


def explained(problem: ValidationError, entry: Mapping[str, Any], place: Place) -> UsageError:
    """The first fault of a connector; an unknown name comes before what is missing because of it."""
    faults = problem.errors(include_input=False, include_context=False, include_url=False)
    faults.sort(key=lambda fault: fault["type"] != "extra_forbidden")
    kind, parts = faults[0]["type"], list(faults[0]["loc"])
    # The loc of a union has the chosen member in it, which is not in the document.
    if parts[:1] in (["credential"], ["transport"]) and len(parts) > 1:
        del parts[1]
    if kind == "extra_forbidden":
        return _unknown(entry, place, parts)
    if kind == "missing":
        return _missing(entry, place, parts)
    if kind.startswith("union_tag"):
        return _unknown_kind(entry, place)
    where, value = _reached(entry, place, parts)
    if kind.startswith(("datetime", "timezone")):
        wanted = MOMENT
    elif kind == "literal_error":
        wanted = str(faults[0]["msg"]).removeprefix("Input should be ").replace("'", '"')
    else:
        wanted = _WANTED.get(kind, "what the field takes")
    what = "the value" if isinstance(value, str) else kind_of(value)
    return refuse(where, f"{what} is not what belongs there", f"write {wanted}")


def _reached(entry: Any, place: Place, parts: Sequence[Any]) -> tuple[Place, Any]:
    """As far as the loc leads in the document: what follows are names of pydantic's own."""
    for part in parts:
        inside = isinstance(entry, dict) and part in entry
        if not inside and not (isinstance(entry, list) and isinstance(part, int) and part < len(entry)):
            break
        entry, place = entry[part], place.down(part)
    return place, entry


def _fields(entry: Mapping[str, Any], parts: Sequence[Any]) -> list[str]:
    """The names that are known at a place."""
    if not parts:
        known = [name for name in Connector.model_fields if name != "source"]
        return ["url", *known]
    if parts[0] == "credential":
        part = _KINDS[entry["credential"]["type"]]
    else:
        part = Connector.model_fields[parts[0]].annotation  # type: ignore[assignment]  # a model each
    if part is None or not hasattr(part, "model_fields"):
        part = next(kind for kind in get_args(part) if hasattr(kind, "model_fields"))
    return [field.alias or name for name, field in part.model_fields.items()]


def _unknown(entry: Mapping[str, Any], place: Place, parts: Sequence[Any]) -> UsageError:
    name, known = str(parts[-1]), _fields(entry, parts[:-1])
    if len(parts) == 1 and place.at == ():
        known = [*known, "connectors"]
    close = get_close_matches(name.lower()[:60], known, n=1, cutoff=0.55)
    taken = f"known there: {', '.join(known)}"
    hint = _OTHER_WORDS.get(name) or (f"did you mean {close[0]}? {taken}" if close else taken)
    return refuse(place.down(*parts), "there is no such field", hint)


def _missing(entry: Mapping[str, Any], place: Place, parts: Sequence[Any]) -> UsageError:
    where, _ = _reached(entry, place, parts[:-1])
    if len(parts) == 1 and "transport" not in entry:  # both follow from url
        return refuse(where, "the connector has no URL", 'add "url": "https://mcp.example.com/mcp"')
    return refuse(where, f"the field {parts[-1]} is missing", f'add "{parts[-1]}": ...')


def _unknown_kind(entry: Mapping[str, Any], place: Place) -> UsageError:
    credential, known = entry["credential"], ", ".join(_KINDS)
    place = place.down("credential")
    if "type" not in credential:
        return refuse(place, "the credential has no type", f'add "type", one of {known}')
    word = credential["type"]
    close = (
        get_close_matches(word.lower()[:60], list(_KINDS), n=1, cutoff=0.55) if isinstance(word, str) else []
    )
    meant = f"did you mean {close[0]}? " if close else ""
    return refuse(
        place.down("type"), "there is no such kind of credential", f"{meant}it takes one of {known}"
    )
