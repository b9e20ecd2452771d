"""The address of an endpoint: what is usable, and one sentence with the correction for what is not."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from diagnose.connector.address import Origin, origin_of, parse_endpoint
from diagnose.errors import UsageError

CANARY = "canary-91d3f0aa"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://mcp.example.com/mcp", "https://mcp.example.com/mcp"),
        ("  https://mcp.example.com/mcp\n", "https://mcp.example.com/mcp"),
        ("https://mcp.example.com", "https://mcp.example.com/"),
        ("https://mcp.example.com/mcp/", "https://mcp.example.com/mcp/"),
        ("https://mcp.example.com/mcp?a=1&b=%20#part", "https://mcp.example.com/mcp?a=1&b=%20"),
        ("http://[::1]:8000/mcp", "http://[::1]:8000/mcp"),
        ("https://user:pass@mcp.example.com/mcp", "https://mcp.example.com/mcp"),
        ("https://mcp.example.com/a|b", "https://mcp.example.com/a|b"),
        ("https://Bücher.example:8443/mcp", "https://xn--bcher-kva.example:8443/mcp"),
        ("https://mcp.example.com/é?q=é", "https://mcp.example.com/%C3%A9?q=%C3%A9"),
    ],
)
def test_a_usable_address_keeps_everything_but_userinfo_and_fragment(text: str, url: str) -> None:
    assert url == parse_endpoint(text).url


BAD_PORT = "correct host and port; a port is a number up to 65535"


@pytest.mark.parametrize(
    ("text", "code", "hint"),
    [
        ("https://mcp\u200b.example.com/mcp", "CFG001", "type the URL anew instead of pasting it"),
        ("https://mcp\udcff.example.com/mcp", "CFG001", "type the URL anew instead of pasting it"),
        ("https://☃️.example.com/mcp", "CFG001", "correct it, or type its xn-- form"),
        ("", "CFG001", "type it in full, such as https://mcp.example.com/mcp"),
        ("mcp.example.com/mcp", "CFG001", "type 'https://mcp.example.com/mcp'"),
        ("localhost:8000/mcp", "CFG001", "type 'http://localhost:8000/mcp'"),
        ("127.0.0.1:8000/mcp", "CFG001", "type 'http://127.0.0.1:8000/mcp'"),
        ("https://mcp.example.com/m cp", "CFG001", "remove it: 'https://mcp.example.com/mcp'"),
        ("https://mcp.example.com/\x1b[31m", "CFG001", "remove it: 'https://mcp.example.com/[31m'"),
        ("wss://mcp.example.com/mcp", "CFG002", "type 'https://mcp.example.com/mcp'"),
        ("ws://mcp.example.com/mcp", "CFG002", "type 'http://mcp.example.com/mcp'"),
        ("htp://mcp.example.com/mcp", "CFG002", "type 'http://mcp.example.com/mcp'"),
        ("file:///etc/passwd", "CFG002", "type 'https://etc/passwd'"),
        (
            "https://mcp.example.com:99999/mcp",
            "CFG001",
            "correct host and port; a port is a number up to 65535",
        ),
        (
            "https://mcp.example.com:abc/mcp",
            "CFG001",
            "correct host and port; a port is a number up to 65535",
        ),
        ("https://[::1/mcp", "CFG001", BAD_PORT),
        ("https:///mcp", "CFG001", "type https://HOST/mcp"),
        ("http://mcp.example.com:0/mcp", "CFG001", "type the port that the server listens on"),
    ],
)
def test_an_unusable_address_is_refused_with_what_to_type(text: str, code: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_endpoint(text, where="--config c.json:3")
    assert (code, hint, "--config c.json:3") == (caught.value.code, caught.value.hint, caught.value.where)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        f"wss://user:{CANARY}@mcp.example.com/mcp",
        f"https://user:{CANARY}@mcp.example.com:99999/mcp",
        f"https://user:{CANARY}@/mcp",
        f"https://mcp.example.com/m cp?api_key={CANARY}",
        f"ftp://mcp.example.com/mcp?access_token={CANARY}",
    ],
)
def test_a_refusal_does_not_quote_a_password_or_a_key(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_endpoint(text)
    assert CANARY not in str(caught.value)


def test_userinfo_is_decoded_and_taken_out_of_the_url() -> None:
    endpoint = parse_endpoint("https://us%40er:p%3Ass@mcp.example.com/mcp")
    assert ("us@er", "p:ss") == (endpoint.username, endpoint.password)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://mcp.example.com/mcp", "https://mcp.example.com"),
        ("https://MCP.Example.com:443/mcp", "https://mcp.example.com"),
        ("https://mcp.example.com./mcp", "https://mcp.example.com"),
        ("http://mcp.example.com:8080/", "http://mcp.example.com:8080"),
        ("http://[::1]:8000/mcp", "http://[::1]:8000"),
        ("https://user@mcp.example.com/", "https://mcp.example.com"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, origin: str) -> None:
    assert origin == str(origin_of(url))


@pytest.mark.parametrize("url", ["", "mcp.example.com", "ftp://mcp.example.com/", "http:///x", "urn:a:b"])
def test_a_url_without_an_origin_is_a_value_error(url: str) -> None:
    with pytest.raises(ValueError, match="no http"):
        origin_of(url)


@pytest.mark.parametrize(
    "other",
    [
        "http://mcp.example.com/mcp",
        "https://mcp.example.com:8443/mcp",
        "https://mcp.example.com.evil.test/mcp",
        "https://evil.test/https://mcp.example.com",
        "https://mcp.example.com@evil.test/mcp",
    ],
)
def test_a_look_alike_is_another_origin(other: str) -> None:
    assert origin_of("https://mcp.example.com/mcp") != origin_of(other)


@given(st.text())
@example("http://\u2100/")
@example("https://[v1.x]/")
@example("http://a:\u0661/")
@example("http://\ud800/")
def test_any_text_is_an_endpoint_or_a_usage_error(text: str) -> None:
    try:
        endpoint = parse_endpoint(text)
    except UsageError:
        return
    assert endpoint.url.isascii()
    assert str(origin_of(endpoint.url)) == str(endpoint.origin)


HOSTS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?(\.[a-z]{2,5}){1,2}", fullmatch=True)


@given(
    scheme=st.sampled_from(["http", "https"]),
    host=HOSTS,
    port=st.none() | st.integers(1, 65535),
    path=st.from_regex(r"(/[A-Za-z0-9._~%-]{0,8}){0,3}", fullmatch=True).filter(lambda path: "%" not in path),
)
def test_parsing_twice_is_parsing_once(scheme: str, host: str, port: int | None, path: str) -> None:
    text = f"{scheme}://{host}{f':{port}' if port else ''}{path}"
    once = parse_endpoint(text)
    assert once == parse_endpoint(once.url)
    assert Origin(scheme=scheme, host=host, port=port or {"http": 80, "https": 443}[scheme]) == once.origin
    assert (path or "/") == urlsplit(once.url).path
