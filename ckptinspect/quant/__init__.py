"""Quantization schemes: what the stored elements of a packed module stand for."""
