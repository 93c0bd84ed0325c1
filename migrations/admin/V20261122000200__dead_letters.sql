-- Messages that a consumer could not handle, as they came, and what was decided about them.
CREATE TABLE dead_letters (
    id                 uuid        NOT NULL CONSTRAINT dead_letters_pkey PRIMARY KEY,
    -- The same message of the same consumer is one letter, however often it was set aside.
    fingerprint        bytea       NOT NULL CONSTRAINT dead_letters_fingerprint_key UNIQUE,
    topic              text        NOT NULL,
    original_partition integer     NOT NULL,
    original_offset    bigint      NOT NULL,
    consumer_group     text        NOT NULL,
    error              text        NOT NULL,
    causes             text[]      NOT NULL,
    attempts           integer     NOT NULL,
    set_aside_at       timestamptz NOT NULL,
    received_at        timestamptz NOT NULL,
    event_id           uuid,
    event_type         text,
    event_subject      text,
    key                bytea,
    payload            bytea       NOT NULL,
    payload_bytes      integer     NOT NULL GENERATED ALWAYS AS (length(payload)) STORED,
    -- The size of a message that was too large for its letter.
    left_out           bigint,
    headers            jsonb       NOT NULL,
    status             text        NOT NULL,
    decided_by         uuid,
    decided_at         timestamptz,
    reason             text,
    replayed_at        timestamptz,
    CONSTRAINT dead_letters_status_known CHECK (status IN ('open', 'replaying', 'replayed', 'discarded')),
    CONSTRAINT dead_letters_decided_whole CHECK (
        (status = 'open') = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL)),
    CONSTRAINT dead_letters_discarded_for_a_reason CHECK ((status = 'discarded') = (reason IS NOT NULL)),
    CONSTRAINT dead_letters_replayed_whole CHECK ((status = 'replayed') = (replayed_at IS NOT NULL)),
    CONSTRAINT dead_letters_reason_length CHECK (length(reason) BETWEEN 1 AND 200)
);

-- Lists are newest first, and ids are in the order of arrival.
CREATE INDEX dead_letters_status_idx ON dead_letters (status, id DESC);
CREATE INDEX dead_letters_topic_idx ON dead_letters (topic, id DESC);
CREATE INDEX dead_letters_group_idx ON dead_letters (consumer_group, id DESC);
CREATE INDEX dead_letters_type_idx ON dead_letters (event_type, id DESC) WHERE event_type IS NOT NULL;
CREATE INDEX dead_letters_event_idx ON dead_letters (event_id) WHERE event_id IS NOT NULL;
-- What is counted, and what is to be put back next.
CREATE INDEX dead_letters_open_idx ON dead_letters (topic, consumer_group) WHERE status = 'open';
CREATE INDEX dead_letters_replaying_idx ON dead_letters (topic, original_partition, original_offset)
    WHERE status = 'replaying';

-- A message is looked at and put back as it came; nobody edits it on the way.
CREATE FUNCTION dead_letters_refuse_edit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a dead letter is not edited' USING ERRCODE = 'restrict_violation', CONSTRAINT = 'dead_letters_unedited';
END $$;
CREATE TRIGGER dead_letters_unedited
    BEFORE UPDATE OF id, fingerprint, topic, original_partition, original_offset, consumer_group, event_id, event_type,
                     event_subject, key, payload, headers ON dead_letters
    FOR EACH STATEMENT EXECUTE FUNCTION dead_letters_refuse_edit();
