"""Connectors as people have them: in the file of some client, in that client's own words.

``discover()`` reads every known file of this machine and of the project around the working directory;
``load(path)`` reads one file. Both give :class:`diagnose.connector.defined.Defined` records, one per entry,
in the order of the files. A record without a ``connector`` says why in ``reason``. Nothing is started, sent
or written. What each client reads, and how it means it, is a row of the table in ``rows``.
"""
