"""The whole stack on one machine, out of wheels: what `assay up` runs.

As a program, `python -m assay_serve.embedded up|down|status|run --data DIR`: one supervisor in the
background keeps NATS, Postgres, the S3 server and one process a service alive, all on loopback,
all data in DIR.

In tests, one real server at a time, stopped when the block ends:

    from assay_serve.embedded import nats, objects, postgres

    with nats.running(folder) as bus:
        bus.url, bus.passwords["setup"], bus.passwords["metadata"]
    with postgres.running(folder) as database:
        database.url("metadata"), database.owner_url("audit"), database.admin_url
    with objects.running(folder) as store:
        store.url, store.access_key, store.secret_key, store.bucket

Each has a `.server` with `.kill()` (as `kill -9` would), `.stop()` and `.start()` (same port, same
data). `backends.running(folder)` has all three: `.bus`, `.database`, `.store`.
"""
