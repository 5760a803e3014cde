"""A report as one file for a browser: see ``render``."""
