"""Artifacts: which bytes exist, and how they come and go."""
