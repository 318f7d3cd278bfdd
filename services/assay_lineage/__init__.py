"""Lineage: what was made from what."""
