-- Claims keys from within another statement, and names the resources whose keys were new: what is done once for each key is
-- written by that statement for these.
CREATE FUNCTION idempotency_claim(its_callers text[], its_keys text[], its_hashes bytea[], its_resources uuid[],
                                  at timestamptz) RETURNS SETOF uuid LANGUAGE plpgsql AS $$
BEGIN
    -- In one sorted order, so that two batches with the same keys do not wait for each other in a ring.
    RETURN QUERY
        INSERT INTO idempotency_keys AS claimed (caller, key, request_hash, resource_id, created_at)
        SELECT new.caller, new.key, new.hash, new.resource, at
        FROM UNNEST(its_callers, its_keys, its_hashes, its_resources) AS new (caller, key, hash, resource)
        ORDER BY new.caller, new.key
        ON CONFLICT ON CONSTRAINT idempotency_keys_pkey DO NOTHING
        RETURNING claimed.resource_id;
END $$;
