-- What every database has: events on their way out, events already taken in, and keys of repeated calls.

-- Written in the business transaction, published by the relay in this order, then marked.
CREATE TABLE outbox (
    position     bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT outbox_pkey PRIMARY KEY,
    event_id     uuid        NOT NULL CONSTRAINT outbox_event_id_key UNIQUE,
    topic        text        NOT NULL,
    key          text        NOT NULL,
    type         text        NOT NULL,
    payload      text        NOT NULL,
    created_at   timestamptz NOT NULL,
    published_at timestamptz
);

-- Small whatever the table's size: it holds only what is still to be published.
CREATE INDEX outbox_unpublished_idx ON outbox (position) WHERE published_at IS NULL;

-- The relay sleeps until a commit wakes it. One notification a statement, however many rows.
CREATE FUNCTION outbox_wake() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('outbox', '');
    RETURN NULL;
END $$;

CREATE TRIGGER outbox_wake AFTER INSERT ON outbox FOR EACH STATEMENT EXECUTE FUNCTION outbox_wake();

-- One row for each event that a consumer has taken in; written with the effect, so an event takes effect once.
CREATE TABLE inbox (
    consumer    text        NOT NULL,
    event_id    uuid        NOT NULL,
    received_at timestamptz NOT NULL,
    CONSTRAINT inbox_pkey PRIMARY KEY (consumer, event_id)
);

-- A caller's key, what it was first used for, and the answer that a repeated call gets.
CREATE TABLE idempotency_keys (
    caller          text        NOT NULL,
    key             text        NOT NULL,
    request_hash    bytea       NOT NULL,
    resource_id     uuid,
    response_status smallint,
    response_body   jsonb,
    created_at      timestamptz NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (caller, key),
    CONSTRAINT idempotency_keys_key_length CHECK (length(key) BETWEEN 1 AND 255)
);
