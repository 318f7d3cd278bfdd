-- Every event as it came, valid or not, readable or not: `body` is the message, verbatim. The other
-- columns of `log` are only there to find it by; what people read of it is decoded from `body`.
CREATE TABLE log (
    revision bigint PRIMARY KEY,
    stream_time timestamptz NOT NULL,
    nats_subject text NOT NULL,
    context text NOT NULL,
    type text NOT NULL,
    resource text NOT NULL,
    actor text NOT NULL,
    actor_kind integer NOT NULL,
    on_behalf_of text NOT NULL,
    time timestamptz,  -- absent where the event tells none that a calendar has
    request_id text NOT NULL,
    is_valid boolean NOT NULL,
    defect text NOT NULL,
    body bytea NOT NULL
);

-- Which versions held an alias or stage, from when to when, in the order in which they entered.
CREATE TABLE holding (
    name text NOT NULL,
    versions text[] NOT NULL,
    approvals text[] NOT NULL,
    actor text NOT NULL,
    revision bigint NOT NULL,
    enter_time timestamptz,
    from_revision bigint NOT NULL,
    to_revision bigint NOT NULL,
    PRIMARY KEY (name, from_revision)
);

CREATE TABLE registration (
    revision bigint PRIMARY KEY,
    version text NOT NULL,
    manifest_digest text NOT NULL,
    registrant text NOT NULL
);

-- `terms` are the nonce, the evidence and the policies: a signature counts if it covers the same.
CREATE TABLE request (
    revision bigint PRIMARY KEY,
    approval text NOT NULL,
    submitter text NOT NULL,
    target text NOT NULL,
    quorum integer NOT NULL,
    is_break_glass boolean NOT NULL,
    evidence_digest text NOT NULL,
    policies text[] NOT NULL,
    terms text[] NOT NULL
);

CREATE TABLE attachment (
    revision bigint PRIMARY KEY,
    approval text NOT NULL,
    type text NOT NULL,
    artifact text NOT NULL,
    attacher text NOT NULL
);

-- Each event that says how an approval stands from then on, also one that could not come just then.
CREATE TABLE outcome (
    revision bigint PRIMARY KEY,
    approval text NOT NULL,
    state integer NOT NULL,
    time timestamptz,
    expire_time timestamptz,
    review_due_time timestamptz
);

CREATE TABLE signature (
    revision bigint PRIMARY KEY,
    approval text NOT NULL,
    signer text NOT NULL,
    key text NOT NULL,
    public_key bytea NOT NULL,
    version text NOT NULL,
    manifest_digest text NOT NULL,
    target text NOT NULL,
    terms text[] NOT NULL,
    meaning text NOT NULL,
    step text NOT NULL,
    role text NOT NULL,
    delegator text NOT NULL,
    printed_name text NOT NULL,
    reason text NOT NULL,
    reason_code text NOT NULL,
    sign_time timestamptz NOT NULL
);

-- indexes
CREATE INDEX log_by_resource ON log (resource COLLATE "C", revision);
CREATE INDEX log_by_actor ON log (actor, revision);
CREATE INDEX log_by_type ON log (type, revision);
CREATE INDEX log_by_request ON log (request_id);
CREATE INDEX registration_by_version ON registration (version, revision);
CREATE INDEX request_by_approval ON request (approval, revision);
CREATE INDEX attachment_by_approval ON attachment (approval, revision);
CREATE INDEX outcome_by_approval ON outcome (approval, revision);
CREATE INDEX signature_by_approval ON signature (approval, revision);

-- The log only grows, whoever asks, but for its owner taking a whole schema away to build it again.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The audit log only grows: % on % is refused.', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER log_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
