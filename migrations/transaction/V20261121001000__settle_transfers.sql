-- Ends transfers that are still initiated, in the order given, and names them. By their key, one after the other: a plan that goes
-- through the table or its index instead is cheapest only while there are few transfers, and is kept when there are many.
CREATE FUNCTION settle_transfers(ids uuid[], statuses text[], codes text[], messages text[], times timestamptz[])
    RETURNS SETOF uuid LANGUAGE plpgsql
    SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
    -- Those with a lease are the initiated ones. Asked by the status, the planner would look for them in the index of all that
    -- are initiated, and find there every transfer of the last minutes.
    RETURN QUERY
        UPDATE transactions t
        SET status = ends.status, failure_code = ends.code, failure_message = ends.message,
            completed_at = ends.completed_at, leased_until = NULL
        FROM UNNEST(ids, statuses, codes, messages, times) AS ends (id, status, code, message, completed_at)
        WHERE t.id = ends.id AND t.leased_until IS NOT NULL
        RETURNING t.id;
END $$;
