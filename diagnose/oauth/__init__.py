"""Logins: what is kept of one, where it is kept, how it is renewed."""
