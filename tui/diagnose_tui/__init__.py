"""The Textual app: see where it breaks, why, and what to type, within one screen."""
