CREATE TABLE run (
    revision bigint NOT NULL,
    name text PRIMARY KEY,
    namespace text NOT NULL,
    create_time timestamptz NOT NULL,
    creator text NOT NULL,
    display_name text NOT NULL,
    params jsonb NOT NULL,
    repository text NOT NULL,
    commit text NOT NULL,
    input_versions text[] NOT NULL,
    start_time timestamptz,
    end_time timestamptz
);

CREATE TABLE run_metric (
    revision bigint NOT NULL,
    place integer NOT NULL,
    run text NOT NULL,
    key text NOT NULL,
    value double precision NOT NULL,
    unit text NOT NULL,
    dataset text NOT NULL,
    PRIMARY KEY (run, place)
);

CREATE TABLE run_dataset (
    revision bigint NOT NULL,
    place integer NOT NULL,
    run text NOT NULL,
    display_name text NOT NULL,
    digest text NOT NULL,
    uri text NOT NULL,
    PRIMARY KEY (run, place)
);

-- What people call a node, where its name does not say it. Its kind is read off its name.
CREATE TABLE node (
    name text NOT NULL,
    display_name text NOT NULL,
    from_revision bigint NOT NULL,
    to_revision bigint NOT NULL,
    PRIMARY KEY (name, from_revision)
);

-- `from_node` went into, or made, `to_node`, says the event at `revision`.
CREATE TABLE edge (
    revision bigint NOT NULL,
    from_node text NOT NULL,
    to_node text NOT NULL,
    PRIMARY KEY (to_node, from_node, revision)
);

-- indexes
CREATE INDEX run_by_namespace ON run (namespace, revision);
CREATE INDEX edge_by_origin ON edge (from_node, to_node, revision);
