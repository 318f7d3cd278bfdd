"""Metadata: namespaces, models, versions, aliases and stages."""
