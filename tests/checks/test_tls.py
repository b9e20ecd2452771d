"""Step 3: the tables behind the verdicts, hostile certificates, and what a healthy run leaves out."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from diagnose_checks.alerts import alert_name, alert_of_reason
from diagnose_checks.certificate_chain import (
    Certificate,
    inspection_product,
    names_match,
    read_certificate,
    short_name,
)
from diagnose_checks.certificate_dates import expires_soon
from diagnose_checks.chain_facts import chain_of_pass
from diagnose_checks.client_certificates import client_certificate_alert
from diagnose_checks.facts import TlsFacts
from diagnose_checks.handshake_contrasts import identified, looks_like_tls
from diagnose_checks.server_clock import date_in
from diagnose_lab import Lab
from diagnose_lab.certificates import authorities
from hypothesis import given
from hypothesis import strategies as st
from lab_connectors import connector_of

from diagnose import Connector, diagnose
from diagnose.api import start
from diagnose.connector import NetworkSettings
from diagnose.step import Fault
from diagnose.wire.handshake import Presented, presented
from diagnose.wire.resolver import Address
from diagnose.wire.sockets import connect

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def certificate(issuer: str) -> Certificate:
    return Certificate(
        subject="CN=mcp.example.com",
        issuer=issuer,
        organisation=None,
        issuer_organisation=None,
        names=(),
        not_before=NOW,
        not_after=NOW,
        issuers_urls=(),
        der=b"",
    )


@pytest.mark.parametrize(
    ("reason", "number"),
    [
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", 40),
        ("SSLV3_ALERT_BAD_CERTIFICATE", 42),
        ("TLSV1_ALERT_UNKNOWN_CA", 48),
        ("TLSV1_ALERT_PROTOCOL_VERSION", 70),
        ("TLSV1_ALERT_INTERNAL_ERROR", 80),
        ("TLSV1_UNRECOGNIZED_NAME", 112),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", 116),
        ("WRONG_VERSION_NUMBER", None),
        ("CERTIFICATE_VERIFY_FAILED", None),
    ],
)
def test_openssls_reason_gives_the_number_of_the_alert(reason: str, number: int | None) -> None:
    assert number == alert_of_reason(reason)


@given(st.integers(0, 255))
def test_every_alert_has_a_name(number: int) -> None:
    assert alert_name(number).startswith(f"alert {number} ")


@pytest.mark.parametrize(
    ("host", "names", "expected"),
    [
        ("mcp.example.com", ("mcp.example.com",), True),
        ("MCP.example.com", ("mcp.EXAMPLE.com",), True),
        ("mcp.example.com", ("*.example.com",), True),
        ("a.mcp.example.com", ("*.example.com",), False),
        ("example.com", ("*.example.com",), False),
        ("mcp.example.com.", ("mcp.example.com",), False),
        ("127.0.0.1", ("127.0.0.1",), True),
        ("127.0.0.1", ("*.0.0.1",), False),
        ("::1", ("::1",), True),
    ],
)
def test_a_wildcard_stands_for_one_whole_label(host: str, names: tuple[str, ...], expected: bool) -> None:
    assert expected == names_match(host, names)


@pytest.mark.parametrize(
    ("issuer", "product"),
    [
        ("CN=Zscaler Intermediate Root CA (zscalertwo.net),O=Zscaler Inc.", "Zscaler"),
        ("CN=Gateway CA - Cloudflare Managed G1", "Cloudflare Gateway"),
        ("CN=WE1,O=Google Trust Services,C=US", None),
        ("CN=Cloudflare Inc ECC CA-3,O=Cloudflare\\, Inc.,C=US", None),
        ("CN=DigiCert Global G2 TLS RSA SHA256 2020 CA1,O=DigiCert Inc,C=US", None),
    ],
)
def test_only_inspection_products_are_taken_for_interceptors(issuer: str, product: str | None) -> None:
    assert product == inspection_product((certificate(issuer),))


@given(st.binary(max_size=2000))
def test_bytes_that_are_no_certificate_are_none(data: bytes) -> None:
    assert read_certificate(data) is None


@given(st.integers(0, 1200), st.integers(0, 255))
def test_a_damaged_certificate_is_read_or_refused_and_never_raises(place: int, value: int) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509 import load_pem_x509_certificate

    der = bytearray(load_pem_x509_certificate(authorities().root.cert_pem.bytes()).public_bytes(Encoding.DER))
    der[place % len(der)] = value
    read_certificate(bytes(der))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("CN=a\\,b,O=c", "a,b"),
        ("OU=Root,O=Lab", "OU=Root,O=Lab"),
        ("", "(empty)"),
    ],
)
def test_a_name_is_shown_by_its_common_name(name: str, shown: str) -> None:
    assert shown == short_name(name)


@pytest.mark.parametrize(
    ("life", "left", "soon"),
    [
        (90, 13.9, True),
        (90, 14.1, False),
        (6.6, 4, False),
        (6.6, 2, True),
        (47, 15, False),
        (365, 1, True),
        (365, -1, True),
    ],
)
def test_a_certificate_expires_soon_when_its_renewal_is_overdue(life: float, left: float, soon: bool) -> None:
    end = NOW + timedelta(days=left)
    assert soon == expires_soon(end - timedelta(days=life), end, NOW)


@pytest.mark.parametrize(
    ("first", "tls"),
    [
        (b"\x15\x03\x03\x00\x02", True),
        (b"\x16\x03\x01", True),
        (b"HTTP/1.1", False),
        (b"\x16", False),
        (b"", False),
    ],
)
def test_a_tls_record_is_known_by_its_first_two_bytes(first: bytes, tls: bool) -> None:
    assert tls == looks_like_tls(first)


@pytest.mark.parametrize(
    ("first", "what"),
    [
        (b"SSH-2.0-OpenSSH_9.6", "an SSH server"),
        (b"\x4a\x00\x00\x00\x0a8.0", "a MySQL server"),
        (b"??", "a service of another protocol"),
    ],
)
def test_a_greeting_names_its_service(first: bytes, what: str) -> None:
    assert what == identified(first)


@given(st.binary(max_size=200))
def test_any_answer_has_a_date_or_none(head: bytes) -> None:
    found = date_in(b"HTTP/1.1 200 OK\r\nDate: " + head)
    assert found is None or found.tzinfo is not None


def test_the_date_of_an_answer_is_read_in_utc() -> None:
    assert NOW == date_in(b"HTTP/1.1 400 x\r\ndate: Fri, 20 Nov 2026 00:00:00 GMT\r\n\r\n")


async def _asked(lab: Lab, scenario: str) -> Fault | None:
    """What step 4 learns when it asks whether a client certificate ended its exchange."""
    with lab.start(scenario) as running:
        connector = Connector(url=running.url, network=NetworkSettings(ca_bundle=authorities().ca_file))
        ctx = start(connector, environ={}).ctx
        ctx.begin("http_reachability", ctx.monotonic() + 5)
        stream = await connect(Address(ip="127.0.0.1", port=running.port))
        try:
            # No pipeline stands around this, so the deadline of a step is this test's to keep.
            async with asyncio.timeout(5):
                return await client_certificate_alert(ctx, TlsFacts(_stream=stream))
        finally:
            await stream.aclose()


def test_an_alert_on_the_first_read_is_a_fault_of_the_tls_step(lab: Lab) -> None:
    fault = asyncio.run(_asked(lab, "tls-client-certificate-required"))
    assert fault is not None
    assert ("TLS008", "tls") == (fault.finding.code, fault.step)


def test_a_server_that_wants_no_client_certificate_is_not_accused(lab: Lab) -> None:
    assert asyncio.run(_asked(lab, "healthy-modern-tls")) is None


_PROGRAM = """
import sys
from diagnose.cli import main
code = main(sys.argv[1:])
found = sorted(name for name in ("cryptography", "dns", "certifi", "mcp") if name in sys.modules)
print(code, *found, file=sys.stderr)
"""


def test_a_healthy_run_over_tls_is_one_connection_and_imports_nothing_for_failures(lab: Lab) -> None:
    with lab.start("healthy-modern-tls") as running:
        command = [sys.executable, "-c", _PROGRAM, "run", running.url, "--json", *running.args]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        assert "0" == done.stderr.strip().splitlines()[-1]
        assert 1 == running.connections


def _chain(lab: Lab, scenario: str) -> tuple[list[dict[str, Any]], int]:
    """The certificates that the report lists, and how many connections the server got."""
    with lab.start(scenario) as running:
        report = asyncio.run(diagnose(connector_of(running), environ=running.env))
        return report.step("tls").facts["chain"], running.connections


def test_a_chain_that_verified_is_listed_leaf_first_and_nothing_is_marked(lab: Lab) -> None:
    (leaf, *above), connections = _chain(lab, "healthy-modern-tls")
    assert 1 == connections
    assert "lab.test" in leaf["names"]
    assert [leaf["issuer"]] == [entry["subject"] for entry in above]
    assert not any("trouble" in entry for entry in (leaf, *above))


@pytest.mark.parametrize(
    ("scenario", "marks"),
    [
        ("tls-expired", ["expired"]),
        ("tls-expired-intermediate", [None, "expired"]),
        ("tls-not-yet-valid", ["not-yet-valid"]),
        ("tls-wrong-host", ["wrong-host"]),
        ("tls-self-signed", ["self-signed"]),
        ("tls-private-ca", ["untrusted"]),
        ("tls-missing-intermediate", ["issuer-missing"]),
        ("tls-interception", ["inspected"]),
        ("tls-expires-soon", ["expires-soon"]),
    ],
)
def test_the_certificate_that_is_the_trouble_is_marked(
    lab: Lab, scenario: str, marks: list[str | None]
) -> None:
    chain, _ = _chain(lab, scenario)
    assert marks == [entry.get("trouble") for entry in chain][: len(marks)]
    assert not any("trouble" in entry for entry in chain[len(marks) :])


def test_a_refused_certificate_says_its_key_and_how_long_ago_it_ended(lab: Lab) -> None:
    (leaf, *_), _ = _chain(lab, "tls-expired")
    assert ("EC 256", "sha256", -1) == (leaf["key"], leaf["signed_with"], leaf["days_left"])


def test_the_leaf_alone_is_listed_where_python_gives_no_chain() -> None:
    class OnlyTheLeaf:
        def getpeercert(self, binary_form: bool = False) -> Any:
            return b"der" if binary_form else {"subject": ((("commonName", "mcp.example.com"),),)}

    (leaf,) = chain_of_pass(presented(cast(Any, OnlyTheLeaf())), NOW)
    assert ("mcp.example.com", None, None) == (leaf.subject, leaf.not_after, leaf.trouble)


def test_of_a_certificate_for_many_hosts_the_first_names_are_listed() -> None:
    names = tuple(("DNS", f"h{number}.example.com") for number in range(25))
    (leaf,) = chain_of_pass([Presented(info={"subjectAltName": names}, der=b"")], NOW)
    assert (20, 5) == (len(leaf.names or ()), leaf.more_names)
