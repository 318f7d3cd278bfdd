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
    display_name text COLLATE "C" NOT NULL,
    state text NOT NULL,
    description text NOT NULL,
    tags jsonb NOT NULL,
    owners text[] NOT NULL,
    intended_use text NOT NULL,
    tier text NOT NULL,
    imported jsonb NOT NULL,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    from_revision bigint NOT NULL,
    to_revision bigint NOT NULL,
    PRIMARY KEY (name, from_revision)
);

-- The names that lead to a model which was created under another.
CREATE TABLE model_name (
    name text PRIMARY KEY,
    model text NOT NULL,
    revision bigint NOT NULL
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

-- Metrics are JSON as text: jsonb would lose the sign of -0.0. `registered` is the revision at which
-- the version was registered: searches order and join by it.
CREATE TABLE version (
    model text NOT NULL,
    number bigint NOT NULL,
    namespace text NOT NULL,
    registered bigint NOT NULL,
    state text NOT NULL,
    manifest_digest text NOT NULL,
    description text NOT NULL,
    metrics text NOT NULL,
    params jsonb NOT NULL,
    tags jsonb NOT NULL,
    run text NOT NULL,
    size_bytes bigint NOT NULL,
    file_count bigint NOT NULL,
    card jsonb NOT NULL,
    signature jsonb NOT NULL,
    format jsonb NOT NULL,
    parent_versions text[] NOT NULL,
    semantic_version text NOT NULL,
    external_uri text NOT NULL,
    imported jsonb NOT NULL,
    creator text NOT NULL,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    revision bigint NOT NULL,
    from_revision bigint NOT NULL,
    to_revision bigint NOT NULL,
    PRIMARY KEY (model, number, from_revision)
);

-- The tags, params and metrics of versions once more, one a row, to filter by. `registered` tells the
-- version, and `term` what was said of it (queries/terms.py). Of the metrics with one key, `nth` 0 is
-- the first: the one to order by.
CREATE TABLE version_tag (
    model text NOT NULL,
    number bigint NOT NULL,
    key text NOT NULL,
    value text NOT NULL,
    term uuid NOT NULL,
    registered bigint NOT NULL,
    from_revision bigint NOT NULL,
    to_revision bigint NOT NULL,
    PRIMARY KEY (model, number, key, from_revision)
);

CREATE TABLE version_param (
    registered bigint NOT NULL,
    key text NOT NULL,
    value text NOT NULL,
    term uuid NOT NULL,
    PRIMARY KEY (registered, key)
);

CREATE TABLE version_metric (
    registered bigint NOT NULL,
    key text NOT NULL,
    nth integer NOT NULL,
    value double precision NOT NULL,
    term uuid NOT NULL,
    PRIMARY KEY (registered, term, nth) INCLUDE (value)
);

-- Which plan is good depends on how common a term is: the planner is to know the common ones.
ALTER TABLE version_tag ALTER COLUMN term SET STATISTICS 1000;
ALTER TABLE version_param ALTER COLUMN term SET STATISTICS 1000;
ALTER TABLE version_metric ALTER COLUMN term SET STATISTICS 1000;

-- Stage graphs of models and namespaces; the rules are JSON.
CREATE TABLE stage_graph (
    name text NOT NULL,
    rules jsonb NOT NULL,
    time timestamptz NOT NULL,
    from_revision bigint NOT NULL,
    to_revision bigint NOT NULL,
    PRIMARY KEY (name, from_revision)
);

-- Which version holds an alias or a stage, and held it when; `label` is the last part of the name.
-- Those who hold together are in the order of enter_revision and place.
CREATE TABLE holding (
    name text COLLATE "C" NOT NULL,
    model text NOT NULL,
    kind text NOT NULL,
    label text COLLATE "C" NOT NULL,
    term uuid NOT NULL,
    number bigint NOT NULL,
    registered bigint NOT NULL,
    weight integer NOT NULL,
    approval text NOT NULL,
    enter_revision bigint NOT NULL,
    place integer NOT NULL,
    actor text NOT NULL,
    time timestamptz NOT NULL,
    from_revision bigint NOT NULL,
    to_revision bigint NOT NULL,
    PRIMARY KEY (name, number, from_revision)
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
    changes text[] NOT NULL,
    field_changes jsonb NOT NULL
);

-- indexes
-- The primary keys find one row at any revision: they are walked backwards from that revision.

-- A model by its id, in lists, diffs and searches of a namespace; and the orders of those.
CREATE INDEX model_by_id ON model (namespace, model_id, from_revision);
CREATE INDEX model_by_create_time ON model (namespace, create_time, model_id);
CREATE INDEX model_by_update_time ON model (namespace, update_time, model_id);
-- Models with a tag. A hash takes values of any length; a btree refuses long ones.
CREATE INDEX model_tag_by_value ON model_tag USING hash (value);
-- Models with certain words.
CREATE INDEX model_by_words ON model USING gin (to_tsvector('simple',
    model_id || ' ' || translate(model_id, '._-', '   ')
    || ' ' || display_name || ' ' || description || ' ' || intended_use));

-- The versions of one model, listed by time.
CREATE INDEX version_by_create_time ON version (model, create_time, number);
-- The versions of a namespace in the order of registration: where a search has nothing narrower,
-- and where it reads what it found.
CREATE INDEX version_by_registration ON version (namespace, registered);
-- Searches ordered by number, or with numbers in a range.
CREATE INDEX version_by_number ON version (namespace, number, registered)
    INCLUDE (from_revision, to_revision);
-- Searches for drafts and for what is archived: few, mostly.
CREATE INDEX version_by_state ON version (namespace, state, registered) WHERE state <> 'ACTIVE';
-- Versions with certain words.
CREATE INDEX version_by_words ON version USING gin ((
    to_tsvector('simple', split_part(model, '/', 4) || ' '
        || translate(split_part(model, '/', 4), '._-', '   ') || ' ' || description)
    || to_tsvector('simple', card)
));
-- Versions with a tag, a param, an alias or a stage, in the order of registration; with a metric, in
-- the order of its value. Each holds all that a search compares, so that it reads no row.
CREATE INDEX version_tag_by_term ON version_tag (term, registered)
    INCLUDE (from_revision, to_revision);
CREATE INDEX version_param_by_term ON version_param (term, registered);
CREATE INDEX version_metric_by_term ON version_metric (term, value, registered) INCLUDE (nth);
CREATE INDEX holding_by_term ON holding (term, registered) INCLUDE (from_revision, to_revision);

-- What a version holds, who holds a name, and all aliases or stages of a model. What still holds lies
-- at the end of these three, past all that ended before the revision asked for.
CREATE INDEX holding_by_version ON holding (model, number, to_revision);
CREATE INDEX holding_by_name ON holding (name, to_revision);
CREATE INDEX holding_by_kind ON holding (model, kind, to_revision);
-- What happened to a model.
CREATE INDEX history_by_model ON history (model, revision);
