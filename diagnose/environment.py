"""What a report says of the machine it was made on; no host name and no user name is part of it."""

from __future__ import annotations

import platform
import ssl
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from diagnose import model
from diagnose.context import Context

__all__ = ["environment_of"]


def environment_of(ctx: Context) -> model.Environment:
    """Versions, the proxies and the trust store that were in effect, and the clock's error."""
    return model.Environment(
        python=sys.version.split()[0],
        openssl=ssl.OPENSSL_VERSION,
        platform=_platform(),
        mcp=_version("mcp"),
        httpx2=_version("httpx2"),
        proxies={name: str(ctx.redactor.clean(value)) for name, value in ctx.proxies.items()},
        trust_store=ctx.trust_store,
        clock_skew_s=ctx.clock_skew_s,
    )


# Neither changes while a process lives, and a process that diagnoses many connectors asks each time.
_platform = cache(platform.platform)


@cache
def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
