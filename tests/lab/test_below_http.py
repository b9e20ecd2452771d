"""Ports, certificates, names and proxies fail as the real ones do."""

from __future__ import annotations

import socket
import ssl

import dns.flags
import dns.message
import dns.query
import dns.rcode
import httpx2
import pytest
from diagnose_lab import Lab, Running

from .wire import ask, client, option, scenario

VERIFIED = 0
_CODES = {
    "valid": VERIFIED,
    "intermediate": VERIFIED,
    "expires-soon": VERIFIED,
    "long-lived": VERIFIED,
    "not-yet-valid": 9,
    "expired": 10,
    "expired-intermediate": 10,
    "self-signed": 18,
    "unknown-ca": 20,
    "missing-intermediate": 20,
    "missing-intermediate-aia": 20,
    "interception": 20,
    "server-auth-missing": 26,
    "wrong-host": 62,
    "no-san": 62,
    "weak-key": 66,
}


def verify_code(running: Running, name: str = "mcp.lab.test") -> int:
    """OpenSSL's verdict over the chain, 0 when it verifies."""
    context = ssl.create_default_context(cafile=option(running, "--ca-bundle"))
    with socket.create_connection(("127.0.0.1", running.port), timeout=5) as sock:
        try:
            with context.wrap_socket(sock, server_hostname=name):
                return VERIFIED
        except ssl.SSLCertVerificationError as error:
            return error.verify_code


@pytest.mark.parametrize("chain", _CODES)
def test_a_chain_is_judged_by_openssl_as_its_name_says(lab: Lab, chain: str) -> None:
    with lab.start(scenario(f'[tls]\nchain = "{chain}"')) as running:
        assert _CODES[chain] == verify_code(running)


def test_the_issuer_of_a_missing_intermediate_is_served_where_the_leaf_says(lab: Lab) -> None:
    from cryptography import x509

    with lab.start(scenario('[tls]\nchain = "missing-intermediate-aia"')) as running:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection(("127.0.0.1", running.port), timeout=5) as sock,
            context.wrap_socket(sock) as channel,
        ):
            leaf = x509.load_der_x509_certificate(channel.getpeercert(True) or b"")
        access = leaf.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
        with httpx2.Client(trust_env=False) as http:
            issuer = x509.load_der_x509_certificate(http.get(access[0].access_location.value).content)
    leaf.verify_directly_issued_by(issuer)


def test_an_inspecting_proxy_mints_a_certificate_for_any_name(lab: Lab) -> None:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    with lab.start(scenario('[tls]\nchain = "interception"')) as running:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection(("127.0.0.1", running.port), timeout=5) as sock,
            context.wrap_socket(sock, server_hostname="api.example.com") as channel,
        ):
            leaf = x509.load_der_x509_certificate(channel.getpeercert(True) or b"")
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    organization = leaf.issuer.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value
    assert (["api.example.com"], "Zscaler Inc.") == (names.get_values_for_type(x509.DNSName), organization)


def test_a_required_client_certificate_is_missed_with_the_right_alert(lab: Lab) -> None:
    with lab.start(scenario('[tls]\nclient_certificate = "required"')) as running:
        with pytest.raises(httpx2.ReadError, match="CERTIFICATE_REQUIRED"):
            ask(running)
        context = ssl.create_default_context(cafile=option(running, "--ca-bundle"))
        context.load_cert_chain(running.places["client_cert"])
        with client(running, verify=context) as http:
            assert http.get(running.url).status_code == 405


def test_an_outdated_tls_version_is_refused_with_an_alert(lab: Lab) -> None:
    with (
        lab.start(scenario('[tls]\nmax_version = "1.1"')) as running,
        pytest.raises(httpx2.ConnectError, match="PROTOCOL_VERSION"),
    ):
        ask(running)


@pytest.mark.parametrize(
    ("behaviour", "kind", "words"),
    [
        ("closed-port", httpx2.ConnectError, "refused"),
        ("accept-and-close", httpx2.RemoteProtocolError, "disconnected"),
        ("accept-and-reset", httpx2.TransportError, "reset"),
        ("garbage", httpx2.RemoteProtocolError, "illegal"),
        ("plain-http", httpx2.ConnectError, "WRONG_VERSION_NUMBER"),
        ("close-after-hello", httpx2.ConnectError, "EOF"),
        ("reset-after-hello", httpx2.ConnectError, "reset"),
        ("tls-alert:unrecognized_name", httpx2.ConnectError, "UNRECOGNIZED_NAME"),
        ("tls-alert:handshake_failure", httpx2.ConnectError, "HANDSHAKE_FAILURE"),
        ("close-after-handshake", httpx2.RemoteProtocolError, "disconnected"),
        ("close-after-request", httpx2.RemoteProtocolError, "disconnected"),
        ("reset-after-request", httpx2.ReadError, "reset"),
    ],
)
def test_a_port_misbehaves(lab: Lab, behaviour: str, kind: type[Exception], words: str) -> None:
    with (
        lab.start(scenario(f'[tcp]\nbehaviour = "{behaviour}"')) as running,
        pytest.raises(kind, match=words),
    ):
        ask(running)
    assert [] == running.errors


@pytest.mark.parametrize("behaviour", ["accept-and-silence", "silence-after-hello", "blackhole"])
def test_a_silent_port_is_silent(lab: Lab, behaviour: str) -> None:
    with (
        lab.start(scenario(f'[tcp]\nbehaviour = "{behaviour}"')) as running,
        client(running, timeout=0.2) as http,
        pytest.raises(httpx2.TimeoutException),
    ):
        http.get(running.url)


def test_tls_on_a_port_addressed_as_http_sends_no_http(lab: Lab) -> None:
    with lab.start(scenario('[tcp]\nbehaviour = "tls"')) as running:
        assert running.url.startswith("http://")
        with pytest.raises(httpx2.RemoteProtocolError):
            ask(running)


def test_each_address_behaves_for_itself(lab: Lab) -> None:
    toml = '[tcp.addresses]\n"127.0.0.2" = "closed-port"\n"127.0.0.1" = "works"\n'
    toml += '[dns.names."mcp.lab.test"]\naddresses = ["127.0.0.2", "127.0.0.1"]'
    with lab.start(scenario(toml)) as running:
        answer = query(running, "mcp.lab.test")
        assert ["127.0.0.2", "127.0.0.1"] == [str(entry) for entry in answer.answer[0]]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", running.port), 5)
        socket.create_connection(("127.0.0.1", running.port), 5).close()


def query(running: Running, name: str, kind: str = "A", *, tcp: bool = False) -> dns.message.Message:
    host, _, port = running.places["dns"].partition(":")
    ask_server = dns.query.tcp if tcp else dns.query.udp
    patience = 0.3 if name.startswith("silent") else 10  # only silence is waited for in full
    return ask_server(dns.message.make_query(name, kind), host, port=int(port), timeout=patience)


NAMES = """
[dns.names."servfail.lab.test"]
rcode = "SERVFAIL"
[dns.names."empty.lab.test"]
nodata = true
[dns.names."silent.lab.test"]
silent = true
[dns.names."long.lab.test"]
truncated = true
addresses = ["127.0.0.1", "::1"]
[dns.names."many.lab.test"]
many = 4000
[dns.names."alias.lab.test"]
cname = "mcp.lab.test"
"""


@pytest.mark.parametrize(
    ("name", "rcode", "answers"),
    [
        ("mcp.lab.test", "NOERROR", 1),
        ("alias.lab.test", "NOERROR", 2),
        ("servfail.lab.test", "SERVFAIL", 0),
        ("empty.lab.test", "NOERROR", 0),
        ("nowhere.example", "NXDOMAIN", 0),
    ],
)
def test_the_resolver_answers_as_scripted(lab: Lab, name: str, rcode: str, answers: int) -> None:
    with lab.start(scenario(NAMES)) as running:
        answer = query(running, name)
        assert (rcode, answers) == (dns.rcode.to_text(answer.rcode()), len(answer.answer))
        assert ("dns", "A", name) == (running.log[0].server, running.log[0].method, running.log[0].path)


def test_the_resolver_can_be_silent_for_one_name(lab: Lab) -> None:
    with lab.start(scenario(NAMES)) as running, pytest.raises(dns.exception.Timeout):
        query(running, "silent.lab.test")


@pytest.mark.parametrize(("name", "count"), [("long.lab.test", 1), ("many.lab.test", 4000)])
def test_a_long_answer_is_truncated_over_udp_and_whole_over_tcp(lab: Lab, name: str, count: int) -> None:
    with lab.start(scenario(NAMES)) as running:
        assert query(running, name).flags & dns.flags.TC
        assert count == len(query(running, name, tcp=True).answer[0])


@pytest.mark.parametrize("behaviour", ["servfail", "refused"])
def test_a_resolver_can_refuse_everything(lab: Lab, behaviour: str) -> None:
    with lab.start(scenario(f'[dns]\nbehaviour = "{behaviour}"')) as running:
        assert behaviour.upper() == dns.rcode.to_text(query(running, "mcp.lab.test").rcode())


@pytest.mark.parametrize("tls", ["", "[tls]\n"])
def test_a_proxy_carries_requests_on_one_connection(lab: Lab, tls: str) -> None:
    with lab.start(scenario(tls + '[proxy]\nauth = "u:p"')) as running, client(running) as http:
        assert [405, 405] == [http.get(running.url).status_code for _ in range(2)]
        assert running.connections == 1
        assert "proxy" in {record.server for record in running.log}


def test_a_proxy_resolves_names_by_itself(lab: Lab) -> None:
    with lab.start(scenario("[proxy]")) as running, client(running) as http:
        assert http.get(f"http://only.the.proxy.knows:{running.port}/mcp").status_code == 405


def test_a_proxy_asks_for_its_credential(lab: Lab) -> None:
    with lab.start(scenario('[proxy]\nauth = "u:p"\ngive_auth = false')) as running, client(running) as http:
        answer = http.get(running.url)
        assert (407, 'Basic realm="lab proxy"') == (answer.status_code, answer.headers["proxy-authenticate"])


@pytest.mark.parametrize("mood", ["407", "403", "502", "504"])
def test_a_proxy_refuses_a_tunnel_with_its_status(lab: Lab, mood: str) -> None:
    with (
        lab.start(scenario(f'[tls]\n[proxy]\nbehaviour = "{mood}"')) as running,
        pytest.raises(httpx2.ProxyError, match=mood),
    ):
        ask(running)


@pytest.mark.parametrize("mood", ["garbage", "closes", "closed-port"])
def test_a_broken_proxy_is_broken(lab: Lab, mood: str) -> None:
    with (
        lab.start(scenario(f'[tls]\n[proxy]\nbehaviour = "{mood}"')) as running,
        pytest.raises(httpx2.TransportError),
    ):
        ask(running)
