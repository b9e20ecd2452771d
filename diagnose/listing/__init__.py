"""The connectors of a machine as a document: gathered here, printed by ``text``, its schema in ``model``."""
