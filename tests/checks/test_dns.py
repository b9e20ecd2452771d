"""Step 1: what keeps a name from being one, and a resolver that never comes back."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from diagnose_checks.dns_lookup import name_flaw
from hypothesis import given
from hypothesis import strategies as st

from diagnose import Connector, Options
from diagnose.api import diagnose
from diagnose.wire.resolver import Address, ResolutionFailed, SystemResolver, explain, literal_address
from diagnose.wire.threads import in_daemon_thread


class Blocked:
    """A resolver whose thread hangs, as getaddrinfo does without a network."""

    def __init__(self, source: str = "a blocked resolver") -> None:
        self.source = source
        self.release = threading.Event()

    async def resolve(self, host: str, port: int) -> tuple[Address, ...]:
        await in_daemon_thread(self.release.wait)
        return ()


def test_a_blocked_resolver_ends_at_the_deadline_and_does_not_hold_the_process() -> None:
    resolver = Blocked()
    began = time.monotonic()
    try:
        report = asyncio.run(
            diagnose(
                Connector(url="https://mcp.example.com/mcp"),
                options=Options(step_timeout=0.2),
                environ={},
                resolver=resolver,
            )
        )
    finally:
        resolver.release.set()
    assert ("DNS003", "dns") == (
        report.verdict.code,
        report.verdict.failed_step and report.verdict.failed_step.id,
    )
    assert time.monotonic() - began < 3


def test_while_getaddrinfo_hangs_the_name_servers_are_asked_what_they_know() -> None:
    """A name under .invalid, so that nobody has to be asked."""
    resolver = Blocked(source=SystemResolver.source)
    try:
        report = asyncio.run(
            diagnose(
                Connector(url="https://mcp.example.invalid/mcp"),
                options=Options(step_timeout=0.2),
                environ={},
                resolver=resolver,
            )
        )
    finally:
        resolver.release.set()
    finding = report.step("dns").findings[0]
    assert ("DNS003", "likely") == (finding.code, finding.confidence)
    assert "never exist" in str(finding.evidence[1].observed)


def test_an_exception_in_the_thread_arrives_where_it_is_waited_for() -> None:
    def refuse() -> None:
        raise LookupError("no")

    with pytest.raises(LookupError, match="no"):
        asyncio.run(in_daemon_thread(refuse))


def test_a_label_over_63_characters_is_no_name_and_no_address_error() -> None:
    with pytest.raises(ResolutionFailed) as problem:
        asyncio.run(SystemResolver().resolve("a" * 64 + ".example", 443))
    assert "invalid-name" == problem.value.reason


def test_a_name_under_invalid_is_explained_without_asking_anybody() -> None:
    explanation = asyncio.run(explain("mcp.example.invalid."))
    assert ("nxdomain", ()) == (explanation.reason, explanation.nameservers)


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("a" * 64 + ".example", "64 characters, 63 are allowed"),
        ("mcp..example", "empty label"),
        (".example", "empty label"),
        (".".join(["abcdefgh"] * 30), "253 are allowed"),
        ("mcp example", "character that no host name can hold"),
    ],
)
def test_a_flawed_name_is_told_by_its_flaw(host: str, words: str) -> None:
    assert words in name_flaw(host)


@given(st.text(max_size=300))
def test_any_text_has_a_flaw_in_one_sentence(host: str) -> None:
    assert name_flaw(host)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1:80"),
        ("::1", "[::1]:80"),
        ("[::1]", "[::1]:80"),
        ("localhost", None),
        ("1.2.3", None),
    ],
)
def test_a_literal_address_is_its_own_answer(host: str, address: str | None) -> None:
    found = literal_address(host, 80)
    assert address == (str(found) if found is not None else None)
