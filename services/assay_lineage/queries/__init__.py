"""What the read model of lineage answers."""
