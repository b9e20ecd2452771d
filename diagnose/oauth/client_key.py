"""The private key of a client that signs its own assertions (RFC 7523 2.2), tried before anything is sent."""

from __future__ import annotations

from pathlib import Path

__all__ = ["KeyUnusable", "client_key"]

_LARGEST = 64 * 1024


class KeyUnusable(Exception):
    """The key cannot sign; the text says why and quotes nothing of the file."""


def client_key(path: Path, algorithm: str) -> str:
    """The key as PEM text, after it has signed once. Raises KeyUnusable."""
    import jwt
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        with path.open("rb") as file:
            pem = file.read(_LARGEST)
    except OSError as problem:
        raise KeyUnusable(f"the file cannot be read: {problem.strerror}") from problem
    try:
        load_pem_private_key(pem, None)
    except TypeError as problem:  # the library's word for "a password is needed"
        raise KeyUnusable("the key is encrypted, and nobody is there to type its password") from problem
    except (ValueError, UnsupportedAlgorithm) as problem:
        raise KeyUnusable("the file holds no private key in PEM form") from problem
    text = pem.decode("ascii", "replace")
    try:
        jwt.encode({"iss": "trial"}, text, algorithm=algorithm)
    except (jwt.PyJWTError, NotImplementedError, ValueError, TypeError) as problem:
        raise KeyUnusable(
            f"the key is of another kind than the algorithm {algorithm} signs with"
        ) from problem
    return text
