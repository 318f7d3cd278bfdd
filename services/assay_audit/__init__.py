"""Audit: every event as it was, and who approved what at any time."""
