-- Ids do not get smaller by compression, and trying took longer than writing them; keys and types are compressed as payloads are.
ALTER TABLE outbox_batches
    ALTER COLUMN event_ids SET STORAGE EXTERNAL,
    ALTER COLUMN keys SET COMPRESSION lz4,
    ALTER COLUMN types SET COMPRESSION lz4;

-- Adds events from within another statement, so that a change and its events need no transaction around them.
CREATE FUNCTION outbox_add(to_topic text, ids uuid[], its_keys text[], its_types text[], its_payloads text[],
                           at timestamptz) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF cardinality(ids) > 0 THEN
        INSERT INTO outbox_batches (topic, events, event_ids, keys, types, payloads, created_at)
        VALUES (to_topic, cardinality(ids), ids, its_keys, its_types, its_payloads, at);
    END IF;
END $$;
