"""Answers as values (v1), as documents, and the renderers that print them."""
