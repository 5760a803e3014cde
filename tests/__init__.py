"""Tests, and the servers that they talk to."""
