-- The read model of artifacts: what lies in the object store, proven.

CREATE TABLE blob (
    name text PRIMARY KEY,
    size_bytes bigint NOT NULL,
    proof text NOT NULL,
    create_time timestamptz NOT NULL,
    revision bigint NOT NULL
);

CREATE TABLE manifest (
    name text PRIMARY KEY,
    namespace text NOT NULL,
    manifest_digest text NOT NULL,
    file_count bigint NOT NULL,
    size_bytes bigint NOT NULL,
    create_time timestamptz NOT NULL,
    revision bigint NOT NULL
);

-- indexes
CREATE INDEX manifest_by_namespace ON manifest (namespace, revision);
