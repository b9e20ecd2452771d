"""The certificates that a server presented, read with cryptography; only failures come this far."""

from __future__ import annotations

import hashlib
import ipaddress
import warnings
from dataclasses import field
from datetime import datetime
from typing import TYPE_CHECKING

from diagnose.records import record

if TYPE_CHECKING:
    from cryptography import x509

__all__ = ["Certificate", "inspection_product", "names_match", "read_certificate", "read_chain"]

_MOST_CERTIFICATES = 10

# Subjects under which TLS inspection signs, as lower-case fragments. Makers that also run public
# authorities are listed with the words of their inspection product only.
_INSPECTION: tuple[tuple[str, str], ...] = (
    ("zscaler", "Zscaler"),
    ("netskope", "Netskope"),
    ("goskope", "Netskope"),
    ("palo alto networks", "Palo Alto Networks"),
    ("prisma access", "Palo Alto Prisma Access"),
    ("fortinet", "Fortinet FortiGate"),
    ("fortigate", "Fortinet FortiGate"),
    ("cisco umbrella", "Cisco Umbrella"),
    ("ironport", "Cisco Secure Web Appliance"),
    ("blue coat", "Symantec ProxySG"),
    ("bluecoat", "Symantec ProxySG"),
    ("check point", "Check Point"),
    ("sophos", "Sophos"),
    ("barracuda", "Barracuda"),
    ("forcepoint", "Forcepoint"),
    ("websense", "Forcepoint"),
    ("skyhigh", "Skyhigh Secure Web Gateway"),
    ("mcafee web gateway", "McAfee Web Gateway"),
    ("sonicwall", "SonicWall"),
    ("watchguard", "WatchGuard"),
    ("cato networks", "Cato Networks"),
    ("menlo security", "Menlo Security"),
    ("iboss", "iboss"),
    ("cloudflare gateway", "Cloudflare Gateway"),
    ("gateway ca - cloudflare managed", "Cloudflare Gateway"),
    ("kaspersky", "Kaspersky"),
    ("eset ssl filter", "ESET"),
    ("avast web/mail shield", "Avast"),
    ("avg web/mail shield", "AVG"),
    ("bitdefender", "Bitdefender"),
    ("mitmproxy", "mitmproxy"),
    ("charles proxy", "Charles Proxy"),
    ("do_not_trust_fiddler", "Fiddler"),
    ("portswigger", "Burp Suite"),
)


@record
class Certificate:
    """What a report needs of one certificate. ``names`` are the DNS names and addresses it is for."""

    subject: str
    issuer: str
    organisation: str | None
    issuer_organisation: str | None
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    issuers_urls: tuple[str, ...]
    der: bytes = field(repr=False)
    key: str | None = None
    signed_with: str | None = None

    @property
    def self_issued(self) -> bool:
        return self.subject == self.issuer

    @property
    def short(self) -> str:
        """The common name, or the whole subject where it has none."""
        return short_name(self.subject)

    @property
    def short_issuer(self) -> str:
        return short_name(self.issuer)

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.der).hexdigest()


def short_name(name: str) -> str:
    """The common name in an RFC 4514 string, or all of it."""
    common = [part[3:] for part in name.replace("\\,", "\0").split(",") if part.startswith("CN=")]
    return common[0].replace("\0", ",") if common else name or "(empty)"


def read_chain(ders: tuple[bytes, ...]) -> tuple[Certificate, ...]:
    """The certificates that can be read, in the order they were sent."""
    read = (read_certificate(der) for der in ders[:_MOST_CERTIFICATES])
    return tuple(certificate for certificate in read if certificate is not None)


def read_certificate(data: bytes) -> Certificate | None:
    """One certificate, DER or PEM; None for what is none. The bytes are a stranger's."""
    from cryptography import x509

    pem = data.lstrip().startswith(b"-----BEGIN")
    try:
        with warnings.catch_warnings():
            # cryptography warns about serial numbers and algorithms of others; they are not our fault.
            warnings.simplefilter("ignore")
            return _read(
                x509.load_pem_x509_certificate(data) if pem else x509.load_der_x509_certificate(data)
            )
    except (ValueError, TypeError, x509.InvalidVersion):
        return None


def _read(found: x509.Certificate) -> Certificate:
    return Certificate(
        subject=found.subject.rfc4514_string(),
        issuer=found.issuer.rfc4514_string(),
        organisation=_organisation(found.subject),
        issuer_organisation=_organisation(found.issuer),
        names=_names(found),
        not_before=found.not_valid_before_utc,
        not_after=found.not_valid_after_utc,
        issuers_urls=_issuers_urls(found),
        der=_der(found),
        key=_key(found),
        signed_with=_signed_with(found),
    )


def _der(found: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return found.public_bytes(Encoding.DER)


def _key(found: x509.Certificate) -> str | None:
    """Kind and size of the public key; None for one that cryptography does not know."""
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        key = found.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    kind = type(key).__name__.removesuffix("PublicKey").lstrip("_")
    size = getattr(key, "key_size", None)
    return f"{kind} {size}" if size is not None else kind


def _signed_with(found: x509.Certificate) -> str | None:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        algorithm = found.signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm):
        return None
    return algorithm.name if algorithm is not None else None


def _organisation(name: x509.Name) -> str | None:
    from cryptography.x509.oid import NameOID

    values = name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return str(values[0].value) if values else None


def _names(found: x509.Certificate) -> tuple[str, ...]:
    from cryptography import x509

    try:
        extension = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return ()
    dns = [str(name) for name in extension.get_values_for_type(x509.DNSName)]
    return (*dns, *(str(ip) for ip in extension.get_values_for_type(x509.IPAddress)))


def _issuers_urls(found: x509.Certificate) -> tuple[str, ...]:
    """Where the issuer's certificate can be had (RFC 5280 4.2.2.1, caIssuers)."""
    from cryptography import x509
    from cryptography.x509.oid import AuthorityInformationAccessOID

    try:
        access = found.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return ()
    return tuple(
        str(entry.access_location.value)
        for entry in access
        if entry.access_method == AuthorityInformationAccessOID.CA_ISSUERS
        and isinstance(entry.access_location, x509.UniformResourceIdentifier)
    )


def names_match(host: str, names: tuple[str, ...]) -> bool:
    """Whether one of ``names`` is for ``host`` (RFC 9525 6.3: a wildcard stands for one whole label)."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        wanted = host.lower()
        return any(
            name.lower() == wanted or (name.startswith("*.") and name[2:].lower() == wanted.partition(".")[2])
            for name in names
        )
    return str(address) in names


def inspection_product(chain: tuple[Certificate, ...]) -> str | None:
    """The TLS inspection product whose name an issuer in ``chain`` bears."""
    issuers = " ".join(certificate.issuer for certificate in chain).lower()
    return next((product for fragment, product in _INSPECTION if fragment in issuers), None)
