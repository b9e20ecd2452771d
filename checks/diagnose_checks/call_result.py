"""The result of a tools/call, judged on the raw JSON."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from diagnose.records import record
from diagnose_checks.tool_rules import brief

__all__ = ["ResultFlaw", "content_types", "estimated_tokens", "judge_result", "texts"]

_BYTES_PER_TOKEN = 4
_ABSENT = "absent"


@record
class ResultFlaw:
    """One broken rule of a result: CALL002 for its shape, CALL003 for a content block."""

    code: str
    pointer: str
    expected: str
    observed: str


def judge_result(result: Mapping[str, Any], era: Literal["legacy", "modern"]) -> Iterator[ResultFlaw]:
    """Everything that makes the result no CallToolResult."""
    if era == "modern" and result.get("resultType") != "complete":
        yield _flaw("CALL002", "/result/resultType", '"complete"', result, "resultType")
    content = result.get("content")
    if not isinstance(content, list):
        yield _flaw("CALL002", "/result/content", "an array of content blocks", result, "content")
    # Null in an optional member is read as absent by the official Python client.
    if not isinstance(result.get("isError", False), bool | None):
        yield _flaw("CALL002", "/result/isError", "true or false", result, "isError")
    structured = result.get("structuredContent", {})
    # Any JSON value since 2026-07-28, an object before.
    if era == "legacy" and not isinstance(structured, Mapping | None):
        yield _flaw("CALL002", "/result/structuredContent", "a JSON object", result, "structuredContent")
    for index, block in enumerate(content if isinstance(content, list) else ()):
        yield from _judge_block(f"/result/content/{index}", block)


def _flaw(code: str, pointer: str, expected: str, holder: Mapping[str, Any], name: str) -> ResultFlaw:
    observed = brief(holder[name]) if name in holder else _ABSENT
    return ResultFlaw(code=code, pointer=pointer, expected=expected, observed=observed)


Member = tuple[str, str, Callable[[Any], bool]]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_media_type(value: Any) -> bool:
    return isinstance(value, str) and 0 < value.find("/") < len(value) - 1


def _is_base64(value: Any) -> bool:
    if not isinstance(value, str) or not value.isascii():
        return False
    # RFC 4648 3: decoders in clients skip white space and missing padding; a foreign alphabet they refuse.
    compact = "".join(value.split()).rstrip("=")
    try:
        base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


_BLOCKS: Mapping[str, tuple[Member, ...]] = {
    "text": (("text", "a string", _is_text),),
    "image": (("data", "base64 (RFC 4648 4)", _is_base64), ("mimeType", "a media type", _is_media_type)),
    "audio": (("data", "base64 (RFC 4648 4)", _is_base64), ("mimeType", "a media type", _is_media_type)),
    "resource_link": (("uri", "a URI", _is_text), ("name", "a string", _is_text)),
    "resource": (("resource", "an object", lambda value: isinstance(value, Mapping)),),
}
"""The content blocks of the specification and what each must hold."""


def _judge_block(at: str, block: Any) -> Iterator[ResultFlaw]:
    if not isinstance(block, Mapping):
        yield ResultFlaw(code="CALL002", pointer=at, expected="a content block", observed=brief(block))
        return
    kind = block.get("type")
    if not isinstance(kind, str) or kind not in _BLOCKS:
        yield _flaw("CALL003", f"{at}/type", "one of " + ", ".join(_BLOCKS), block, "type")
        return
    for name, expected, accepts in _BLOCKS[kind]:
        if not accepts(block.get(name)):
            yield _flaw("CALL003", f"{at}/{name}", expected, block, name)
    if kind == "resource" and isinstance(block.get("resource"), Mapping):
        yield from _judge_resource(f"{at}/resource", block["resource"])


def _judge_resource(at: str, resource: Mapping[str, Any]) -> Iterator[ResultFlaw]:
    if not isinstance(resource.get("uri"), str):
        yield _flaw("CALL003", f"{at}/uri", "a URI", resource, "uri")
    if "text" not in resource and "blob" not in resource:
        yield _flaw("CALL003", f"{at}/text", "a member text or blob", resource, "text")
    if "text" in resource and not isinstance(resource["text"], str):
        yield _flaw("CALL003", f"{at}/text", "a string", resource, "text")
    if "blob" in resource and not _is_base64(resource["blob"]):
        yield _flaw("CALL003", f"{at}/blob", "base64 (RFC 4648 4)", resource, "blob")


def _blocks(result: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    content = result.get("content")
    yield from (
        block for block in (content if isinstance(content, list) else ()) if isinstance(block, Mapping)
    )


def content_types(result: Mapping[str, Any]) -> tuple[str, ...]:
    """The types of the content blocks, each once, in order."""
    return tuple(dict.fromkeys(str(block.get("type"))[:40] for block in _blocks(result)))


def texts(result: Mapping[str, Any]) -> str:
    """What a model would read: the text blocks and embedded texts, in order."""
    parts: list[str] = []
    for block in _blocks(result):
        resource = block.get("resource")
        for value in (block.get("text"), resource.get("text") if isinstance(resource, Mapping) else None):
            if isinstance(value, str):
                parts.append(value)
    return "\n".join(parts)


def estimated_tokens(result: Mapping[str, Any]) -> int:
    """About four bytes each: of the text, or of the structured content where there is no text."""
    size = len(texts(result).encode("utf-8", "surrogatepass"))
    if not size and "structuredContent" in result:
        size = len(
            json.dumps(result["structuredContent"], ensure_ascii=False).encode("utf-8", "surrogatepass")
        )
    return -(-size // _BYTES_PER_TOKEN)
