-- Events of one transaction and topic are one row: a row each cost as much as the postings themselves.
-- `outbox` stays what one reads to see single events.
CREATE TABLE outbox_batches (
    position     bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT outbox_batches_pkey PRIMARY KEY,
    topic        text        NOT NULL,
    events       integer     NOT NULL,
    event_ids    uuid[]      NOT NULL,
    keys         text[]      NOT NULL,
    types        text[]      NOT NULL,
    payloads     text[]      COMPRESSION lz4 NOT NULL,
    created_at   timestamptz NOT NULL,
    published_at timestamptz,
    CONSTRAINT outbox_batches_even CHECK (
        events > 0 AND cardinality(event_ids) = events AND cardinality(keys) = events
        AND cardinality(types) = events AND cardinality(payloads) = events)
);

INSERT INTO outbox_batches (topic, events, event_ids, keys, types, payloads, created_at, published_at)
SELECT topic, 1, ARRAY[event_id], ARRAY[key], ARRAY[type], ARRAY[payload], created_at, published_at
FROM outbox ORDER BY position;
DROP TABLE outbox;

-- Small whatever the table's size: it holds only what is still to be published.
CREATE INDEX outbox_unpublished_idx ON outbox_batches (position) WHERE published_at IS NULL;

CREATE VIEW outbox AS
    SELECT b.position * 1000000 + e.place AS position, e.event_id, b.topic, e.key, e.type, e.payload, b.created_at,
           b.published_at
    FROM outbox_batches b
    CROSS JOIN LATERAL unnest(b.event_ids, b.keys, b.types, b.payloads)
         WITH ORDINALITY AS e (event_id, key, type, payload, place);
