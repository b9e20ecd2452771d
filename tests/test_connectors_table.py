"""docs/connectors.md says what the rows of the dialects say."""

from __future__ import annotations

from pathlib import Path

from diagnose.connector.dialects.places import written
from diagnose.connector.dialects.row import AtPlace, Dialect
from diagnose.connector.dialects.rows import DIALECTS

PAGE = Path(__file__).parent.parent / "docs" / "connectors.md"
HEAD = """# Connectors of other clients

Made from the table in the code; `python tests/test_connectors_table.py` writes it anew.

`diagnose NAME --config FILE` takes a connector from the file of any client below, as that client would use
it. The client is known by the place of the file, by its name, or by what is in it. In Python:

```python
from diagnose.connector import discover, load

for defined in discover():  # every file below that exists on this machine
    print(defined.client, defined.name, defined.origin, defined.target)
    for problem in defined.problems:  # code, severity, what is wrong, what to write instead
        print("  ", problem)

defined = load(".cursor/mcp.json")[0]  # raises UsageError where the file cannot be read
defined.connector  # None where an entry cannot be used: defined.reason says why
```

## What is on this machine

`diagnose list` shows every connector of every file below, with client, transport, target, file and line:
what overrides what, which server stands in several files and in which settings they differ, and what is
wrong. An error is told whole, a warning by its code; `-v` tells all. A file that cannot be read is an entry
of its own and hides nothing. `--client NAME` shows one client, `--config FILE` adds a file. Nothing is
started or sent.

`--json` prints the same as JSON in ASCII; its schema is [`schema/list-v1.json`](../schema/list-v1.json)
(`diagnose schema --of list`), to which fields are only added.

| field | is |
|---|---|
| `connectors[].usable` | whether its client can use it; `problems` say why not |
| `connectors[].applies`, `folder` | whether it is in force in this folder, and the project that it is for |
| `connectors[].place`, `overrides`, `overridden_by` | file, line, column and pointer |
| `connectors[].target`, `bridged_url` | URL or command without secrets; where a bridge leads |
| `connectors[].same_server` | other definitions of the same server, and the settings that `differs` names |
| `connectors[].diagnosis` | with `--deep`: the verdict up to step 9, the `tools`, or why it was not run |
| `broken_files` | files of which nothing could be read, each with its `problem` |
| `duplicate_tools` | with `--deep`: tools of one name; a `warning` where one client has both, else `info` |

The exit code is 0 when the list was printed, and 2 when the command line or FILE cannot be used. With
`--fail-on error` (or `warning`) it is 1 when an entry, a file or a diagnosis has one.

`--deep` diagnoses each connector that is in force up to its list of tools, four at a time, and compares the
names (`explain CFG070`). It calls no tool. It starts a command of a found file only after a yes or with
`--allow-stdio`, and does not reach a URL of a project's file that takes variables of this environment
along: name that one.

## A connector by its name

`diagnose NAME` finds the connector in the files below and diagnoses it as its client would reach or start
it. The client's own precedence decides between its files. Where several clients have the name, type
`CLIENT:NAME`, such as `cursor:docs`; the message lists the forms. No such name is exit code 3, with the
nearest one. An entry that its client cannot use is exit code 2, with file, line and the corrected text;
what else is wrong with it is said on stderr and stands in the report, in `connector.problems`. Options go
before what the file says; for a process these are `--env`, `--cwd`, `--inherit` and `--era`.

## Who lets a command start

A file is code where it names a command, and a project that was cloned brings its files along. So a command
of a file that was found, and that nobody named, is shown whole (every word, the directory, the names of its
variables, the file) and asked for: `Start this process? [y/N]`. Where nobody can be asked it is refused
with exit code 2, unless `--allow-stdio` is given. A file that is named with `--config` and a command after
two dashes need no question. Nothing is ever run through a shell. In Python it is the same: a connector of
`discover()` is started by `diagnose()` only with `Options(allow_stdio=True)`, one of `load()` or of your
own at once; `connect()` is the caller's decision.

## What is filled in

Neither `load` nor `discover` starts or sends anything. Values that only the
client can see (inputs, keyrings, helpers) are named by a finding, with the variable to set instead. A literal
secret works and is never printed. `mcp-servers` is a file with the common root key whose client is not known.

## Where the files are

Paths of a project are relative to its folder and are looked for from the working directory upwards. Where a
name stands in several files of one client, local goes before project, and project before user.

| client | key | Linux | macOS | Windows |
|---|---|---|---|---|
"""
DIALECTS_HEAD = """
## How they are written

*Bare URL* is what an entry with a URL and no word for its transport means. *Environment* is what a process
gets beside its own `env`: `safe` is the short list of the official SDKs (PATH, HOME and the like), `all` is
everything, each as the client itself has it: a desktop application has the PATH of the desktop and not the
shell's.

| client | format | root key | words for the transport | bare URL | references | environment | source |
|---|---|---|---|---|---|---|---|
"""
FORMATS = {"json": "JSON", "jsonc": "JSON with comments", "json?": "JSON", "yaml": "YAML", "toml": "TOML"}


def places(row: Dialect) -> str:
    """The lines of one client: one for each of its files."""
    lines = []
    for place in row.places or ():
        paths = [cell(place, platform) for platform in ("linux", "darwin", "win32")]
        cells = [f"{row.title} ({place.scope})", f"`{row.key}`", *paths]
        lines.append(f"| {' | '.join(cells)} |\n")
    if not row.places:
        anywhere = ", ".join(f"`{name}`" for name in row.files) or "in code, or in any file"
        lines.append(f"| {row.title} | `{row.key}` | {anywhere} | | |\n")
    return "".join(lines)


def cell(place: AtPlace, platform: str) -> str:
    path = written(place, platform)
    return "`" + path.replace(" or ", "` or `") + "`" if path else ""


def dialect(row: Dialect) -> str:
    """The line of one dialect."""
    roots = ", ".join(f"`{'.'.join(root)}`" if root else "none" for root in row.roots)
    words = ", ".join(f"`{word}`" for word, means in row.words.items() if means != "other") or "none"
    bare = "is refused" if row.bare is None else row.bare
    unfilled = "none" if row.syntax_known else "not known"
    cells = (
        row.title,
        FORMATS[row.format],
        f"{roots}{' (a list)' if row.listed else ''}",
        words,
        bare if "http" in row.carriers else "is refused",
        ", ".join(f"`{spelling}`" for spelling in row.syntax) or unfilled,
        f"{row.inherits}{', desktop' if row.desktop else ''}" if "stdio" in row.carriers else "starts none",
        row.source,
    )
    return f"| {' | '.join(cells)} |\n"


def page() -> str:
    """The whole document."""
    return HEAD + "".join(map(places, DIALECTS)) + DIALECTS_HEAD + "".join(map(dialect, DIALECTS))


def test_the_table_of_connectors_is_true() -> None:
    assert page() == PAGE.read_text(encoding="utf-8")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
