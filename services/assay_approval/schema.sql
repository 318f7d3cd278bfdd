-- The read model of approval: one row an event that could count, and views that say which do.
-- A row is written for a signature that holds by itself; whether it covers what was asked, by whom,
-- under a key valid at its revision, and whether the quorum was reached, the views work out from all
-- rows, as the rules do from all events. Of events that may come once, the first counts.

CREATE TABLE principal_created (
    revision bigint PRIMARY KEY,
    name text NOT NULL,
    kind text NOT NULL,
    printed_name text NOT NULL,
    login text NOT NULL,
    create_time timestamptz NOT NULL
);

CREATE TABLE key_enrolled (
    revision bigint PRIMARY KEY,
    name text NOT NULL,
    principal text NOT NULL,
    public_key bytea NOT NULL,
    create_time timestamptz NOT NULL
);

CREATE TABLE key_revoked (
    revision bigint PRIMARY KEY,
    name text NOT NULL,
    revoke_time timestamptz NOT NULL
);

CREATE TABLE policy_published (
    revision bigint PRIMARY KEY,
    policy text COLLATE "C" NOT NULL,
    namespace text NOT NULL,
    number bigint NOT NULL,
    digest text NOT NULL,
    models text[] NOT NULL,
    stages text[] NOT NULL,
    aliases text[] NOT NULL,
    quorum integer NOT NULL,
    description text NOT NULL,
    create_time timestamptz NOT NULL
);

-- `covers` is the digest of what a signature on the approval must cover.
CREATE TABLE approval_requested (
    revision bigint PRIMARY KEY,
    name text NOT NULL,
    namespace text NOT NULL,
    nats_subject text NOT NULL,
    version text NOT NULL,
    manifest_digest text NOT NULL,
    target text NOT NULL,
    policy_names text[] NOT NULL,
    policy_digests text[] NOT NULL,
    quorum integer NOT NULL,
    submitter text NOT NULL,
    nonce text NOT NULL,
    covers text NOT NULL,
    reason text NOT NULL,
    create_time timestamptz NOT NULL
);

-- `covers` is the digest of what the signed record covers.
CREATE TABLE signature (
    revision bigint PRIMARY KEY,
    approval text NOT NULL,
    covers text NOT NULL,
    meaning text NOT NULL,
    signer text NOT NULL,
    printed_name text NOT NULL,
    key text NOT NULL,
    public_key bytea NOT NULL,
    record bytea NOT NULL,
    signature bytea NOT NULL,
    reason text NOT NULL,
    sign_time timestamptz NOT NULL,
    time timestamptz NOT NULL
);

CREATE TABLE approval_granted (
    revision bigint PRIMARY KEY,
    name text NOT NULL,
    version text NOT NULL,
    manifest_digest text NOT NULL,
    target text NOT NULL,
    time timestamptz NOT NULL
);

CREATE TABLE approval_revoked (
    revision bigint PRIMARY KEY,
    name text NOT NULL,
    time timestamptz NOT NULL
);

-- indexes
CREATE INDEX principal_by_name ON principal_created (name, revision);
CREATE INDEX key_by_principal ON key_enrolled (principal, revision);
CREATE INDEX key_by_name ON key_enrolled (name, revision);
CREATE INDEX key_revoked_by_name ON key_revoked (name, revision);
CREATE INDEX policy_by_name ON policy_published (namespace, policy, number DESC, revision);
CREATE INDEX approval_by_name ON approval_requested (name, revision);
CREATE INDEX approval_by_namespace ON approval_requested (namespace, revision);
CREATE INDEX approval_by_version ON approval_requested (version, target, revision);
CREATE INDEX signature_by_approval ON signature (approval, signer, revision);
CREATE INDEX granted_by_name ON approval_granted (name, revision);
CREATE INDEX revoked_by_name ON approval_revoked (name, revision);

CREATE VIEW principal AS
SELECT p.* FROM principal_created p
WHERE NOT EXISTS (SELECT FROM principal_created e WHERE e.name = p.name AND e.revision < p.revision);

-- A key with the revision from which on it may sign no longer, if there is one.
CREATE VIEW signing_key AS
SELECT k.*, r.revision AS revoke_revision, r.revoke_time
FROM key_enrolled k
JOIN principal p ON p.name = k.principal AND p.kind = 'ACTOR_KIND_HUMAN' AND p.revision < k.revision
LEFT JOIN LATERAL (
    SELECT revision, revoke_time FROM key_revoked
    WHERE name = k.name AND revision > k.revision ORDER BY revision LIMIT 1
) r ON true
WHERE NOT EXISTS (SELECT FROM key_enrolled e WHERE e.name = k.name AND e.revision < k.revision);

CREATE VIEW policy AS
SELECT DISTINCT ON (namespace, policy) * FROM policy_published
ORDER BY namespace, policy, number DESC, revision;

-- The first act of each person on an approval, where it covers what was asked.
CREATE VIEW act AS
SELECT DISTINCT ON (s.approval, s.signer) s.*
FROM signature s
JOIN approval_requested a ON a.name = s.approval AND a.covers = s.covers
    AND a.revision < s.revision AND a.submitter <> s.signer
    AND NOT EXISTS (
        SELECT FROM approval_requested e WHERE e.name = a.name AND e.revision < a.revision)
JOIN signing_key k ON k.name = s.key AND k.principal = s.signer AND k.public_key = s.public_key
    AND k.revision < s.revision AND (k.revoke_revision IS NULL OR k.revoke_revision > s.revision)
ORDER BY s.approval, s.signer, s.revision;

-- What became of each approval. Acts after `close_revision` came too late.
CREATE VIEW approval AS
SELECT a.*, h.revision AS head_revision, granted.time AS grant_time, revoked.time AS revoke_time,
    least(granted.revision, rejected.revision) AS close_revision,
    CASE WHEN revoked.time IS NOT NULL THEN 'REVOKED' WHEN granted.time IS NOT NULL THEN 'GRANTED'
         WHEN rejected.revision IS NOT NULL THEN 'REJECTED' ELSE 'OPEN' END AS state
FROM approval_requested a
JOIN head h ON h.subject = a.nats_subject
LEFT JOIN LATERAL (
    SELECT revision FROM act WHERE approval = a.name AND meaning = 'approved'
    ORDER BY revision OFFSET a.quorum - 1 LIMIT 1
) reached ON true
LEFT JOIN LATERAL (
    SELECT min(revision) AS revision FROM act WHERE approval = a.name AND meaning = 'rejected'
) rejected ON true
LEFT JOIN LATERAL (
    SELECT g.revision, g.time FROM approval_granted g
    WHERE g.name = a.name AND g.version = a.version AND g.manifest_digest = a.manifest_digest
        AND g.target = a.target AND g.revision > reached.revision
        AND (rejected.revision IS NULL OR g.revision < rejected.revision)
    ORDER BY g.revision LIMIT 1
) granted ON true
LEFT JOIN LATERAL (
    SELECT v.time FROM approval_revoked v WHERE v.name = a.name AND v.revision > granted.revision
    ORDER BY v.revision LIMIT 1
) revoked ON true
WHERE NOT EXISTS (SELECT FROM approval_requested e WHERE e.name = a.name AND e.revision < a.revision);
