"""The connector that a scenario's command line means, as an object."""

from __future__ import annotations

from diagnose_lab import Running
from diagnose_lab.certificates import authorities

from diagnose import BearerCredential, Connector, NetworkSettings, Secret
from diagnose.connector import StdioTransport
from diagnose.connector.credential import NoCredential

__all__ = ["connector_of"]


def connector_of(running: Running) -> Connector:
    """A URL with the lab's root, its name server and the token of the scenario, or a command."""
    if running.target[0] == "--":
        _, command, *args = running.target
        return Connector(name="local", transport=StdioTransport(command=command, args=tuple(args)))
    given = dict(zip(running.args, running.args[1:], strict=False))
    network = NetworkSettings(
        ca_bundle=authorities().ca_file if "--ca-bundle" in given else None,
        resolver=given.get("--resolver"),
    )
    shown = "LAB_TOKEN" in running.env
    return Connector(
        url=running.url,
        credential=BearerCredential(token=Secret("${env:LAB_TOKEN}")) if shown else NoCredential(),
        network=network,
    )
