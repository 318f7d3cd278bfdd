"""Approvals: who may release what."""
