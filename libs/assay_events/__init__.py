"""Event sourcing over one stream: deciders, envelopes, stores, projectors."""
