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

A file is code: what it names is started only by a run, never by `load` or `discover`. Values that only the
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
