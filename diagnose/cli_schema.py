"""``diagnose schema``: the JSON Schema of the report."""

from __future__ import annotations

import json

import click

from diagnose.cli_delivery import printed
from diagnose.cli_words import Word

__all__ = ["schema"]


@click.command()
@click.option("--of", type=Word(("report", "list")), default="report", help="Whose [default: report].")
def schema(of: str) -> int:
    """Print the JSON Schema of the report, or of the list of connectors (draft 2020-12)."""
    if of == "list":
        from diagnose.listing.model import json_schema
    else:
        from diagnose.model import json_schema

    return printed(json.dumps(json_schema(), indent=2))
