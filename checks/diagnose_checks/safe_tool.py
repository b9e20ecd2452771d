"""Which tool may be called, and why every other may not.

Annotations are hints of a server that nobody has vetted (specification, tools, annotations): they are
necessary here and never sufficient, and anything in doubt is not called.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from diagnose.connector import ToolPolicy
from diagnose.records import record
from diagnose_checks.arguments import CannotSynthesise, synthesise
from diagnose_checks.tool_rules import tool_name

__all__ = ["Choice", "choose", "forbidden", "in_doubt", "secret_word", "writing_word"]

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

# Words that change something. A word of a name counts when it begins with one of the long ones ("updates",
# "deleteall") or equals a short one ("add", but not "address").
_LONG = """
abort accept activate alter append apply approve archive assign attach authorize backup block book cancel
change charge checkout clear clone close comment commit compose configure confirm connect convert copy
create deactivate decline delete deploy destroy detach disable disconnect dispatch download edit email
empty enable enqueue erase evaluate evict execute exec expire export flag flush force forward generate
grant import increment ingest initialize insert install instruct invite invoke issue join kill label
launch leave lock login logout mark merge mint modify move mutate notify open order overwrite patch pause
perform persist place post prepare process produce promote provision publish purchase purge push reboot
rebuild record refund register reject reload remove rename reopen reorder replace reply report request
reschedule reserve reset resize resolve restart restore resume retry revert revoke rollback rotate save
schedule script sell send share shell shutdown sign spawn start stop store submit subscribe suspend swap
switch sync terminate toggle train transfer trigger truncate undo uninstall unlink unlock unsubscribe
unset update upgrade upload upsert vote wipe withdraw write
"""
_SHORT = "add ban buy call cast do drop fill fix fork init make mute pay pin put rm run set tag tip"
_LONG_VERBS, _SHORT_VERBS = tuple(_LONG.split()), frozenset(_SHORT.split())
# Verbs that are nouns as often. Behind a reading verb ("list_issues", "get_order") they are the thing read,
# unless a second action is joined to it ("get_and_post").
_NOUNS = "block book comment commit email issue label order place post process record report request store"
_NOUNS_TOO = tuple(_NOUNS.split())
_READING = frozenset(
    ("count", "describe", "fetch", "find", "get", "list", "lookup", "query", "read", "search", "show", "view")
)
_JOINING = frozenset({"and", "or", "then"})
# Words of what a reading tool may print and a report must not hold: the reference server has a get-env.
_SECRETS = "apikey config cookie credential dump environ env key passwd password private secret token vault"
_SECRET_WORDS = tuple(_SECRETS.split())
# These betray themselves even inside a word that has no seams, such as "bulkdelete".
_ANYWHERE = ("delete", "remove", "create", "update", "write", "destroy", "execute", "overwrite", "upload")


@record
class Choice:
    """The tool to call, its arguments and why it; or no tool, and why none."""

    tool: Mapping[str, Any] | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)


def writing_word(name: str) -> str | None:
    """The first word of a tool's name that may change something."""
    words = [found.lower() for found in _WORDS.findall(name)]
    reads = bool(words) and words[0] in _READING and not _JOINING & set(words)
    for word in words:
        verb = next((verb for verb in _LONG_VERBS if word.startswith(verb)), None)
        if (verb is not None and not (reads and verb in _NOUNS_TOO)) or word in _SHORT_VERBS:
            return str(word)
    folded = re.sub(r"[^a-z]", "", name.lower())
    return next((verb for verb in _ANYWHERE if verb in folded), None)


def secret_word(name: str) -> str | None:
    """The first word of a tool's name that speaks of secrets, in the singular or the plural."""
    words = [found.lower() for found in _WORDS.findall(name)]
    return next(
        (word for word in words if word.removesuffix("s") in _SECRET_WORDS or word == "environment"), None
    )


def forbidden(name: str, policy: ToolPolicy, confirmed: frozenset[str]) -> str | None:
    """Why the connector's own policy keeps a tool from being called, whoever asks."""
    if not policy.allows(name):
        return "the connector's tool policy does not offer it"
    if name in policy.requires_confirmation and name not in confirmed:
        return "the connector's tool policy asks for a confirmation, and none was given (--confirm TOOL)"
    return None


def _not_read_only(tool: Mapping[str, Any]) -> str | None:
    hints = tool.get("annotations")
    hints = hints if isinstance(hints, Mapping) else {}
    if hints.get("readOnlyHint") is not True:
        return "not marked readOnlyHint: true"
    return "marked destructiveHint: true" if hints.get("destructiveHint", False) is not False else None


def _name_in_doubt(tool: Mapping[str, Any]) -> str | None:
    name = tool_name(tool) or ""
    if not _PLAIN_NAME.fullmatch(name):
        return "a name that cannot be read with certainty"
    word = writing_word(name)
    if word is not None:
        return f"{word!r} in its name may change something"
    word = secret_word(name)
    return f"{word!r} in its name speaks of secrets" if word is not None else None


def _needs_a_task(tool: Mapping[str, Any]) -> str | None:
    execution = tool.get("execution")
    asked = execution.get("taskSupport") if isinstance(execution, Mapping) else None
    return "it only runs as a task" if asked == "required" else None


_DOUBTS: tuple[Callable[[Mapping[str, Any]], str | None], ...] = (
    _not_read_only,
    _name_in_doubt,
    _needs_a_task,
)


def in_doubt(tool: Mapping[str, Any]) -> str | None:
    """Why nobody should call a tool without a person's word: its annotations, its name, how it runs."""
    return next((found for doubt in _DOUBTS if (found := doubt(tool)) is not None), None)


def choose(
    tools: tuple[Any, ...], flawed: frozenset[int], policy: ToolPolicy, confirmed: frozenset[str]
) -> Choice:
    """The safest tool, if one is safe: no required arguments, closed world, short schema, first listed."""
    refused: dict[str, str] = {}
    candidates: list[tuple[tuple[object, ...], Mapping[str, Any], Mapping[str, Any]]] = []
    for index, tool in enumerate(tools):
        name = tool_name(tool)
        if name is None:
            continue
        reason = forbidden(name, policy, confirmed) or in_doubt(tool)
        if reason is None and index in flawed:
            reason = "its entry in the list is faulty (step 9)"
        if reason is not None:
            refused.setdefault(name, reason)
            continue
        try:
            arguments = synthesise(tool.get("inputSchema"))
        except CannotSynthesise as problem:
            refused.setdefault(name, str(problem))
            continue
        open_world = tool["annotations"].get("openWorldHint") is not False
        rank = (bool(arguments), open_world, len(json.dumps(tool["inputSchema"])), index)
        candidates.append((rank, tool, arguments))
    if not candidates:
        return Choice(refused=refused)
    _, chosen, with_arguments = min(candidates, key=lambda candidate: candidate[0])
    return Choice(tool=chosen, arguments=with_arguments, refused=refused)
