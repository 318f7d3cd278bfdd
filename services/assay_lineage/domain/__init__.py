"""The rules of lineage: what may be recorded of a run."""
