-- An account's entries are found by time without an index entry for each: of an account, numbers and times rise
-- together, so one entry in 32 in an index by time leads close to any other, and the primary key does the rest. An index over
-- all of them cost as much as the entries themselves, for it grows in as many places as there are accounts.
DROP INDEX entries_account_time_idx;
CREATE INDEX entries_milestones_idx ON entries (account_id, posted_at, sequence) WHERE sequence % 32 = 0;

-- The number of an account's last entry up to a moment; 0 if there is none.
CREATE FUNCTION last_entry(account uuid, moment timestamptz) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT COALESCE((SELECT e.sequence FROM entries e
                     WHERE e.account_id = account AND e.sequence >= milestone.sequence
                       AND e.sequence < milestone.sequence + 32 AND e.posted_at <= moment
                     ORDER BY e.sequence DESC LIMIT 1), 0)
    FROM (SELECT COALESCE((SELECT e.sequence FROM entries e
                           WHERE e.account_id = account AND e.sequence % 32 = 0 AND e.posted_at <= moment
                           ORDER BY e.posted_at DESC, e.sequence DESC LIMIT 1), 0)) milestone (sequence)
$$;
