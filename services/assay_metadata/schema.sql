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

-- The tags, params and metrics of versions once more, one a row, to filter by. Of the metrics with
-- one key, `nth` 0 is the first: the one to order by.
CREATE TABLE version_tag (
    model text NOT NULL,
    number bigint NOT NULL,
    key text NOT NULL,
    value text NOT NULL,
    registered bigint NOT NULL,
    from_revision bigint NOT NULL,
    to_revision bigint NOT NULL,
    PRIMARY KEY (model, number, key, from_revision)
);

CREATE TABLE version_param (
    model text NOT NULL,
    number bigint NOT NULL,
    key text NOT NULL,
    value text NOT NULL,
    registered bigint NOT NULL,
    PRIMARY KEY (model, number, key)
);

CREATE TABLE version_metric (
    model text NOT NULL,
    number bigint NOT NULL,
    place integer NOT NULL,
    key text NOT NULL,
    nth integer NOT NULL,
    value double precision NOT NULL,
    registered bigint NOT NULL,
    PRIMARY KEY (model, number, place)
);

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
CREATE INDEX model_by_id ON model (namespace, model_id, from_revision);
CREATE INDEX model_by_create_time ON model (namespace, create_time, model_id);
CREATE INDEX model_by_update_time ON model (namespace, update_time, model_id);
CREATE INDEX version_by_create_time ON version (model, create_time, number);
CREATE INDEX version_metric_by_value ON version_metric (model, key, value, number);
-- A hash takes values of any length; a btree refuses long ones.
CREATE INDEX model_tag_by_value ON model_tag USING hash (value);
CREATE INDEX version_tag_by_value ON version_tag USING hash (value);
CREATE INDEX version_param_by_value ON version_param USING hash (value);
-- What still holds lies at the end of these three, past all that ended before the revision asked for.
CREATE INDEX holding_by_version ON holding (model, number, to_revision);
CREATE INDEX holding_by_name ON holding (name, to_revision);
CREATE INDEX holding_by_kind ON holding (model, kind, to_revision);
CREATE INDEX history_by_model ON history (model, revision);
-- For searches of a namespace, which is the second part of a model's name: each leads to the versions
-- in the order of their registration, or by value. What is compared is hashed, so that it fits.
CREATE INDEX version_by_registration ON version (namespace, registered);
CREATE INDEX version_of_model_by_registration ON version (model, registered);
CREATE INDEX version_by_number ON version (namespace, number, registered);
CREATE INDEX version_by_words ON version USING gin ((
    to_tsvector('simple', split_part(model, '/', 4) || ' '
        || translate(split_part(model, '/', 4), '._-', '   ') || ' ' || description)
    || to_tsvector('simple', card)
));
CREATE INDEX version_tag_by_term ON version_tag ((
    hashtextextended(key, hashtextextended(value, hashtextextended(split_part(model, '/', 2), 0)))
), registered);
CREATE INDEX version_param_by_term ON version_param ((
    hashtextextended(key, hashtextextended(value, hashtextextended(split_part(model, '/', 2), 0)))
), registered);
CREATE INDEX version_metric_by_term ON version_metric ((
    hashtextextended(key, hashtextextended(split_part(model, '/', 2), 0))
), value, registered);
CREATE INDEX version_metric_by_registration ON version_metric ((
    hashtextextended(key, hashtextextended(split_part(model, '/', 2), 0))
), registered, value);
CREATE INDEX holding_by_term ON holding ((
    hashtextextended(kind, hashtextextended(label, hashtextextended(split_part(model, '/', 2), 0)))
), registered);
CREATE INDEX model_by_words ON model USING gin (to_tsvector('simple',
    model_id || ' ' || translate(model_id, '._-', '   ')
    || ' ' || display_name || ' ' || description || ' ' || intended_use));
