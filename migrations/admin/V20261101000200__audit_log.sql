-- The audit log: one entry for each event of the platform, each carrying the hash of the one before.

CREATE TABLE audit_entries (
    -- 1, 2, 3, … without gaps: the number comes from audit_head, under its lock, and not from a sequence.
    sequence       bigint      NOT NULL CONSTRAINT audit_entries_pkey PRIMARY KEY,
    occurred_at    timestamptz NOT NULL,
    actor_type     text        NOT NULL,
    actor_id       text        NOT NULL,
    action         text        NOT NULL,
    subject_type   text        NOT NULL,
    subject_id     text        NOT NULL,
    correlation_id text        NOT NULL,
    details        jsonb       NOT NULL,
    previous_hash  bytea       NOT NULL,
    hash           bytea       NOT NULL,
    CONSTRAINT audit_entries_sequence_positive CHECK (sequence > 0),
    CONSTRAINT audit_entries_hash_length CHECK (octet_length(hash) = 32 AND octet_length(previous_hash) = 32),
    -- A hash has one successor: the log cannot fork.
    CONSTRAINT audit_entries_previous_hash_key UNIQUE (previous_hash)
);

-- One for each filter, newest first.
CREATE INDEX audit_entries_subject_idx ON audit_entries (subject_type, subject_id, sequence DESC);
CREATE INDEX audit_entries_actor_idx ON audit_entries (actor_type, actor_id, sequence DESC);
CREATE INDEX audit_entries_action_idx ON audit_entries (action, sequence DESC);
CREATE INDEX audit_entries_occurred_idx ON audit_entries (occurred_at);

-- The end of the chain, in one row. Who appends locks it first, so entries are made one after the other.
CREATE TABLE audit_head (
    only_row boolean NOT NULL DEFAULT true CONSTRAINT audit_head_pkey PRIMARY KEY,
    sequence bigint  NOT NULL,
    hash     bytea   NOT NULL,
    CONSTRAINT audit_head_one_row CHECK (only_row),
    CONSTRAINT audit_head_hash_length CHECK (octet_length(hash) = 32)
);

INSERT INTO audit_head (sequence, hash) VALUES (0, decode(repeat('00', 32), 'hex'));

-- What is written stays. The hash chain tells of changes that went round this.
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER audit_entries_append_only BEFORE UPDATE OR DELETE ON audit_entries
    FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_entries_no_truncate BEFORE TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_head_stays BEFORE DELETE OR TRUNCATE ON audit_head
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
