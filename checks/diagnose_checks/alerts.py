"""The TLS alerts by number (RFC 8446 6, RFC 5246 7.2): name, and what a server means by them."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["alert_meaning", "alert_name", "alert_of_reason"]

_ALERTS: Mapping[int, tuple[str, str]] = {
    10: ("unexpected_message", "the other side is not in the same protocol"),
    20: ("bad_record_mac", "bytes were changed on the way, usually by a middlebox"),
    40: ("handshake_failure", "no cipher, group or signature algorithm is common to both sides"),
    42: ("bad_certificate", "the client certificate is not accepted, or one is required"),
    43: ("unsupported_certificate", "the client certificate is of a kind that is not accepted"),
    44: ("certificate_revoked", "the client certificate is revoked"),
    45: ("certificate_expired", "the client certificate has expired"),
    46: ("certificate_unknown", "the client certificate is not accepted"),
    47: ("illegal_parameter", "a field of the client's hello is out of range or contradicts another"),
    48: ("unknown_ca", "the client certificate comes from an authority that the server does not know"),
    49: ("access_denied", "the server's rules do not admit this client"),
    50: ("decode_error", "a message could not be read, usually after a middlebox touched it"),
    51: ("decrypt_error", "a signature did not verify"),
    70: ("protocol_version", "the server speaks no TLS version that this client offers"),
    71: ("insufficient_security", "the server asks for stronger ciphers than the client offers"),
    80: ("internal_error", "the server failed for a reason of its own; its log has it"),
    86: ("inappropriate_fallback", "the client offered less than it can"),
    90: ("user_canceled", "the handshake was given up"),
    109: ("missing_extension", "the client's hello lacks an extension that the server needs"),
    112: ("unrecognized_name", "no site with this name is configured on the server or its load balancer"),
    113: ("bad_certificate_status_response", "the stapled status did not please"),
    115: ("unknown_psk_identity", "the pre-shared key is not known"),
    116: ("certificate_required", "a client certificate is required"),
    120: ("no_application_protocol", "the server offers none of the protocols asked for (ALPN http/1.1)"),
}


def alert_name(number: int) -> str:
    """Number and name, as a report prints them."""
    return f"alert {number} {_ALERTS.get(number, ('unknown', ''))[0]}"


def alert_meaning(number: int | None) -> str:
    """What the alert means for whoever reads the report."""
    return _ALERTS.get(number or -1, ("", "its number says no more"))[1]


def alert_of_reason(reason: str) -> int | None:
    """The number in a reason of OpenSSL such as ``TLSV1_ALERT_INTERNAL_ERROR``."""
    text = reason.lower()
    if "alert" not in text and not text.startswith(("tlsv1_", "tlsv13_", "sslv3_")):
        return None
    return next((number for number, (name, _) in _ALERTS.items() if text.endswith(name)), None)
