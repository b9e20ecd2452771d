"""The privacy mask: hosts, names and paths become placeholders, for a screen that others see.

The same thing has the same placeholder everywhere, as long as the app runs: ``host-1`` in the list is
``host-1`` in a curl line. Masked are hosts and addresses, the paths and queries of URLs, names of
connectors, clients, servers and certificates, paths of files, addresses of people, fingerprints and
UUIDs. Left alone are ports, loopback addresses and ``localhost``, the paths of the specifications' own
examples, links to documentation, header names, codes, and the names of tools, which belong to the
diagnosis. A server's free text is searched for the same things, no more: what it says in words of its own
stays readable. Secrets are none of the mask's business; no report holds any.
"""

from __future__ import annotations

from diagnose_tui.privacy.mask import Mask

__all__ = ["Mask"]
