"""Every dialect, in the order in which a file is compared with them."""

from __future__ import annotations

from diagnose.connector.dialects.row import Dialect
from diagnose.connector.dialects.rows_of_agents import AGENTS
from diagnose.connector.dialects.rows_of_editors import EDITORS
from diagnose.connector.dialects.rows_of_libraries import LIBRARIES

__all__ = ["DIALECTS", "by_key"]

DIALECTS: tuple[Dialect, ...] = (*EDITORS, *AGENTS, *LIBRARIES)


def by_key(key: str) -> Dialect:
    """The row of a client. Raises KeyError."""
    return _BY_KEY[key]


_BY_KEY = {row.key: row for row in DIALECTS}
