"""What the lineage service answers."""
