"""``diagnose schema``: the JSON Schema of the report."""

from __future__ import annotations

import json

import click

from diagnose.cli_delivery import printed

__all__ = ["schema"]


@click.command()
def schema() -> int:
    """Print the JSON Schema of the report (draft 2020-12)."""
    from diagnose.model import json_schema

    return printed(json.dumps(json_schema(), indent=2))
