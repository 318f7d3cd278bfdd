"""Assay's SDK and command line: register models, sign approvals, ask the auditor's questions."""
