"""The app in a browser: one process of it for each visitor, on this machine alone."""
