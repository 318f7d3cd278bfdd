"""The command line: one module a subject, each command one function."""
