"""The version of this package, without asking the installation's metadata for it."""

__all__ = ["VERSION"]

VERSION = "0.1.0"
