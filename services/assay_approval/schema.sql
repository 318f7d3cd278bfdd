-- The read model of approval: its events, verbatim, and rows to find them by. What an approval, a
-- principal or a policy is, the rules work out from its events, for a reader as for a command: no
-- rule lives in SQL. A row says no more than its event shows by itself; of events that may come
-- once, the first counts.

CREATE TABLE event (
    revision bigint PRIMARY KEY,
    nats_subject text NOT NULL,
    type text NOT NULL,
    body bytea NOT NULL,
    stream_time timestamptz NOT NULL
);

CREATE TABLE principal_created (
    revision bigint PRIMARY KEY,
    name text NOT NULL,
    nats_subject text NOT NULL,
    kind text NOT NULL
);

-- Roles in force, from revision to revision.
CREATE TABLE role (
    name text NOT NULL,
    principal text NOT NULL,
    role text NOT NULL,
    scope text NOT NULL,
    giver text NOT NULL,
    endorser text NOT NULL,
    delegator text NOT NULL,
    expire_time timestamptz,
    create_time timestamptz NOT NULL,
    given_at bigint NOT NULL,
    from_revision bigint NOT NULL,
    to_revision bigint NOT NULL,
    PRIMARY KEY (name, from_revision)
);

-- Keys, roles and policy versions that wait for an endorsement; `namespace` is a policy's.
CREATE TABLE proposal (
    name text NOT NULL,
    namespace text NOT NULL,
    proposer text NOT NULL,
    description text NOT NULL,
    create_time timestamptz NOT NULL,
    proposed_at bigint NOT NULL,
    from_revision bigint NOT NULL,
    to_revision bigint NOT NULL,
    PRIMARY KEY (name, from_revision)
);

CREATE TABLE policy_published (
    revision bigint PRIMARY KEY,
    policy text COLLATE "C" NOT NULL,
    namespace text NOT NULL
);

CREATE TABLE approval_requested (
    revision bigint PRIMARY KEY,
    name text NOT NULL,
    namespace text NOT NULL,
    nats_subject text NOT NULL,
    version text NOT NULL,
    target text NOT NULL,
    submitter text NOT NULL,
    create_time timestamptz NOT NULL
);

-- The state that an approval's last event gives it.
CREATE TABLE approval_state (
    name text NOT NULL,
    namespace text NOT NULL,
    state text NOT NULL,
    from_revision bigint NOT NULL,
    to_revision bigint NOT NULL,
    PRIMARY KEY (name, from_revision)
);

-- What is to be done about an approval at a time: `end` it, or say that it is to be renewed.
CREATE TABLE timer (
    approval text NOT NULL,
    what text NOT NULL,
    due_time timestamptz NOT NULL,
    from_revision bigint NOT NULL,
    to_revision bigint NOT NULL,
    PRIMARY KEY (approval, what, from_revision)
);

-- Break-glass grants that were not reviewed yet.
CREATE TABLE review_due (
    approval text NOT NULL,
    model text NOT NULL,
    due_time timestamptz NOT NULL,
    from_revision bigint NOT NULL,
    to_revision bigint NOT NULL,
    PRIMARY KEY (approval, from_revision)
);

CREATE TABLE signature (
    revision bigint PRIMARY KEY,
    approval text NOT NULL,
    signer text NOT NULL
);

-- indexes
-- What holds now is found at the end, or in an index of nothing else.
CREATE INDEX event_by_subject ON event (nats_subject, revision);
CREATE INDEX principal_by_name ON principal_created (name, revision);
CREATE INDEX role_by_principal ON role (principal, given_at);
CREATE INDEX role_by_time ON role (given_at);
CREATE INDEX proposal_by_time ON proposal (proposed_at) WHERE to_revision = 9223372036854775807;
CREATE INDEX policy_by_name ON policy_published (namespace, policy, revision);
CREATE INDEX approval_by_name ON approval_requested (name, revision);
CREATE INDEX approval_by_namespace ON approval_requested (namespace, revision);
CREATE INDEX approval_by_version ON approval_requested (version, target, revision);
CREATE INDEX approval_by_state ON approval_state (namespace, state)
    WHERE to_revision = 9223372036854775807;
CREATE INDEX timer_by_time ON timer (due_time) WHERE to_revision = 9223372036854775807;
CREATE INDEX review_by_model ON review_due (model) WHERE to_revision = 9223372036854775807;
CREATE INDEX signature_by_approval ON signature (approval, signer);

-- Each approval with the state that its last event gives it.
CREATE VIEW approval AS
SELECT a.*, s.state
FROM approval_requested a
JOIN approval_state s ON s.name = a.name AND s.to_revision = 9223372036854775807
WHERE NOT EXISTS (SELECT FROM approval_requested e WHERE e.name = a.name AND e.revision < a.revision);
