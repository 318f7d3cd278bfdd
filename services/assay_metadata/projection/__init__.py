"""The read model of metadata: which rows each event means."""
