-- The read model of metadata. A row of a table with from_revision and to_revision holds for the
-- revisions in between, the last one excluded; 9223372036854775807 means that it still holds.
-- Text that is sorted by is in the order of its code points, whatever the database's locale.

CREATE TABLE namespace (
    name text COLLATE "C" PRIMARY KEY,
    description text NOT NULL,
    create_time timestamptz NOT NULL,
    revision bigint NOT NULL
);

-- The etag of each model, alias and stage: the revision of the last event about it.
CREATE TABLE mark (
    name text NOT NULL,
    revision bigint NOT NULL,
    from_revision bigint NOT NULL,
    to_revision bigint NOT NULL,
    PRIMARY KEY (name, from_revision)
);

CREATE TABLE model (
    name text NOT NULL,
    namespace text NOT NULL,
    model_id text COLLATE "C" NOT NULL,
    state text NOT NULL,
    description text NOT NULL,
    tags jsonb NOT NULL,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    from_revision bigint NOT NULL,
    to_revision bigint NOT NULL,
    PRIMARY KEY (name, from_revision)
);

-- The tags of models once more, one a row, to filter by.
CREATE TABLE model_tag (
    model text NOT NULL,
    key text NOT NULL,
    value text NOT NULL,
    from_revision bigint NOT NULL,
    to_revision bigint NOT NULL,
    PRIMARY KEY (model, key, from_revision)
);

-- Metrics are JSON as text: jsonb would lose the sign of -0.0.
CREATE TABLE version (
    model text NOT NULL,
    number bigint NOT NULL,
    state text NOT NULL,
    manifest_digest text NOT NULL,
    description text NOT NULL,
    metrics text NOT NULL,
    params jsonb NOT NULL,
    tags jsonb NOT NULL,
    run text NOT NULL,
    size_bytes bigint NOT NULL,
    file_count bigint NOT NULL,
    creator text NOT NULL,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    revision bigint NOT NULL,
    from_revision bigint NOT NULL,
    to_revision bigint NOT NULL,
    PRIMARY KEY (model, number, from_revision)
);

-- The tags, params and metrics of versions once more, one a row, to filter by.
CREATE TABLE version_tag (
    model text NOT NULL,
    number bigint NOT NULL,
    key text NOT NULL,
    value text NOT NULL,
    from_revision bigint NOT NULL,
    to_revision bigint NOT NULL,
    PRIMARY KEY (model, number, key, from_revision)
);

CREATE TABLE version_param (
    model text NOT NULL,
    number bigint NOT NULL,
    key text NOT NULL,
    value text NOT NULL,
    revision bigint NOT NULL,
    PRIMARY KEY (model, number, key)
);

CREATE TABLE version_metric (
    model text NOT NULL,
    number bigint NOT NULL,
    place integer NOT NULL,
    key text NOT NULL,
    value double precision NOT NULL,
    revision bigint NOT NULL,
    PRIMARY KEY (model, number, place)
);

-- Which version holds an alias or a stage, and held it when; `label` is the last part of the name.
CREATE TABLE holding (
    name text COLLATE "C" NOT NULL,
    model text NOT NULL,
    kind text NOT NULL,
    label text COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    approval text NOT NULL,
    actor text NOT NULL,
    time timestamptz NOT NULL,
    from_revision bigint NOT NULL,
    to_revision bigint NOT NULL,
    PRIMARY KEY (name, from_revision)
);

-- What happened to a model and what is below it, one row an event.
CREATE TABLE history (
    revision bigint PRIMARY KEY,
    model text NOT NULL,
    time timestamptz NOT NULL,
    actor text NOT NULL,
    type text NOT NULL,
    resource text NOT NULL,
    reason text NOT NULL,
    changes text[] NOT NULL
);

-- indexes
-- The primary keys find one row at any revision: they are walked backwards from that revision.
CREATE INDEX model_by_id ON model (namespace, model_id, from_revision);
CREATE INDEX model_by_create_time ON model (namespace, create_time, model_id);
CREATE INDEX model_by_update_time ON model (namespace, update_time, model_id);
CREATE INDEX version_by_create_time ON version (model, create_time, number);
CREATE INDEX version_metric_by_value ON version_metric (model, key, value, number);
-- A hash takes values of any length; a btree refuses long ones.
CREATE INDEX model_tag_by_value ON model_tag USING hash (value);
CREATE INDEX version_tag_by_value ON version_tag USING hash (value);
CREATE INDEX version_param_by_value ON version_param USING hash (value);
-- What still holds lies at the end of these two, past all that ended before the revision asked for.
CREATE INDEX holding_by_version ON holding (model, number, to_revision);
CREATE INDEX holding_by_kind ON holding (model, kind, to_revision);
CREATE INDEX history_by_model ON history (model, revision);
