"""The services of Assay: each has a NATS account, a Postgres role and a process of its own."""

SERVICES = ("metadata", "artifact", "lineage", "approval", "audit")
