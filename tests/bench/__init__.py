"""The speed ratios of docs/performance.md: `make bench`."""
