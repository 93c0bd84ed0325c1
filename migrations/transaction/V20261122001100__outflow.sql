-- What has left a person's wallets for other people's, within a window: a day of the country, or the first hours of a device that
-- was bound a moment ago. A transfer is counted in the statement that begins it, and given back in the one that ends it as failed.
-- So `moved` is the sum of the transfers that name the window and have not failed.
CREATE TABLE outflow_windows (
    user_id   uuid        NOT NULL,
    currency  char(3)     NOT NULL,
    -- By the name of the limit that holds in it.
    kind      text        NOT NULL,
    -- Midnight in the country; or when the device was bound, which tells it from the person's others.
    starts_at timestamptz NOT NULL,
    -- Where nothing limits it, it may leave the range of a single amount.
    moved     numeric     NOT NULL,
    CONSTRAINT outflow_windows_pkey PRIMARY KEY (user_id, currency, kind, starts_at),
    CONSTRAINT outflow_windows_kind_known CHECK (kind IN ('daily_outflow', 'new_device')),
    CONSTRAINT outflow_windows_moved_not_negative CHECK (moved >= 0)
) WITH (fillfactor = 70);

-- Which windows it is counted in; or which limit it would have passed, what that was, and what was left of it: then it is counted
-- nowhere, never handed to the ledger, and ends as failed.
ALTER TABLE transactions
    ADD COLUMN outflow_day timestamptz,
    ADD COLUMN outflow_device timestamptz,
    ADD COLUMN over_limit text,
    ADD COLUMN over_limit_most bigint,
    ADD COLUMN over_limit_left bigint,
    ADD CONSTRAINT transactions_outflow_of_transfers CHECK (
        type = 'transfer' OR (outflow_day IS NULL AND over_limit IS NULL)) NOT VALID,
    ADD CONSTRAINT transactions_outflow_device_within_day CHECK (
        outflow_device IS NULL OR outflow_day IS NOT NULL) NOT VALID,
    ADD CONSTRAINT transactions_over_limit_known CHECK (over_limit IN ('daily_outflow', 'new_device')) NOT VALID,
    ADD CONSTRAINT transactions_over_limit_whole CHECK (
        (over_limit IS NULL) = (over_limit_most IS NULL) AND (over_limit IS NULL) = (over_limit_left IS NULL)) NOT VALID,
    ADD CONSTRAINT transactions_over_limit_moves_nothing CHECK (
        over_limit IS NULL OR (outflow_day IS NULL AND status IN ('initiated', 'failed'))) NOT VALID;

-- They are part of what was asked for.
DROP TRIGGER transactions_asked ON transactions;
CREATE TRIGGER transactions_asked BEFORE UPDATE OF
        id, type, amount, fee, currency, from_wallet_id, to_wallet_id, from_user_id, to_user_id, from_name, to_name,
        narration, reference, correlation_id, created_at, outflow_day, outflow_device, over_limit, over_limit_most,
        over_limit_left
    ON transactions FOR EACH ROW EXECUTE FUNCTION transaction_kept();

-- With the new columns.
CREATE OR REPLACE VIEW wallet_transactions AS
    SELECT from_wallet_id AS wallet_id, false AS incoming, true AS visible, t.* FROM transactions t
    UNION ALL
    SELECT to_wallet_id, true, t.status NOT IN ('initiated', 'failed'), t.* FROM transactions t;

-- A transfer that counts: in which windows, and the most that each may hold (null: no limit).
CREATE TYPE outflow_ask AS (
    id uuid, place bigint, user_id uuid, amount bigint, day timestamptz, day_most bigint, device timestamptz,
    device_most bigint);

-- Counts one transfer, if it fits into its windows. If not, it names the limit that leaves the least, and what that is.
CREATE FUNCTION outflow_decide(ask outflow_ask, its_currency char(3), OUT name text, OUT most bigint, OUT rest bigint)
    LANGUAGE plpgsql
    SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
    SELECT w.kind, held.most, GREATEST(held.most - w.moved, 0)::bigint INTO name, most, rest
    FROM (VALUES ('daily_outflow', ask.day, ask.day_most), ('new_device', ask.device, ask.device_most))
         AS held (kind, starts_at, most)
    JOIN outflow_windows w ON w.user_id = ask.user_id AND w.currency = its_currency AND w.kind = held.kind
                          AND w.starts_at = held.starts_at
    WHERE w.moved + ask.amount > held.most
    ORDER BY held.most - w.moved LIMIT 1;
    IF name IS NULL THEN
        UPDATE outflow_windows w SET moved = w.moved + ask.amount
        FROM (VALUES ('daily_outflow', ask.day), ('new_device', ask.device)) AS held (kind, starts_at)
        WHERE w.user_id = ask.user_id AND w.currency = its_currency AND w.kind = held.kind
          AND w.starts_at = held.starts_at;
    END IF;
END $$;

-- Claims the keys of transfers that begin, and counts those whose keys were new and that have a day (of the others nothing is
-- limited). Answers with those whose keys were new. The outcome is as if each came alone, in their order.
--
-- Locks are taken in one order by everybody: keys, windows, transfers; each kind sorted. So the windows of the transfers that are
-- about to fail (`failing`) are locked here, too.
CREATE FUNCTION claim_transfers(
    its_callers text[], its_keys text[], its_hashes bytea[], its_ids uuid[], at timestamptz, its_users uuid[],
    its_amounts bigint[], its_days timestamptz[], its_devices timestamptz[], its_currency char(3),
    -- From tier 0 on.
    day_limits bigint[], device_limit bigint, failing uuid[])
    RETURNS TABLE (id uuid, outflow_day timestamptz, outflow_device timestamptz, over_limit text, over_limit_most bigint,
                   over_limit_left bigint)
    LANGUAGE plpgsql
    -- Planned once: planning anew for each batch took as long as counting it.
    SET enable_mergejoin = off SET enable_seqscan = off SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    fresh uuid[];
    asked outflow_ask[];
    tight outflow_ask[];
    ask outflow_ask;
    back record;
    refused uuid[] := '{}';
    names text[] := '{}';
    mosts bigint[] := '{}';
    rests bigint[] := '{}';
    verdict record;
BEGIN
    fresh := ARRAY(SELECT idempotency_claim(its_callers, its_keys, its_hashes, its_ids, at));
    -- Who is not in the directory, or has a tier that is not known here, is worth tier 0.
    asked := ARRAY(
        SELECT ROW(new.id, new.place, new.user_id, new.amount, new.day,
                   day_limits[1 + COALESCE((SELECT d.kyc_tier FROM directory_users d WHERE d.user_id = new.user_id
                                            AND d.kyc_tier BETWEEN 0 AND cardinality(day_limits) - 1), 0)],
                   new.device, CASE WHEN new.device IS NOT NULL THEN device_limit END)::outflow_ask
        FROM UNNEST(its_ids, its_users, its_amounts, its_days, its_devices) WITH ORDINALITY
             AS new (id, user_id, amount, day, device, place)
        JOIN UNNEST(fresh) AS claimed (id) USING (id)
        WHERE new.day IS NOT NULL);

    IF cardinality(asked) > 0 OR cardinality(failing) > 0 THEN
        -- All are counted, which is right for nearly all.
        WITH touched AS (
            SELECT a.user_id, its_currency AS currency, held.kind, held.starts_at, a.amount
            FROM UNNEST(asked) AS a
            CROSS JOIN LATERAL (VALUES ('daily_outflow', a.day), ('new_device', a.device)) AS held (kind, starts_at)
            WHERE held.starts_at IS NOT NULL
            UNION ALL
            SELECT t.from_user_id, t.currency, held.kind, held.starts_at, 0
            FROM UNNEST(failing) AS ends (id)
            CROSS JOIN LATERAL (
                SELECT t.from_user_id, t.currency, t.outflow_day, t.outflow_device FROM transactions t
                WHERE t.id = ends.id LIMIT 1) AS t
            CROSS JOIN LATERAL (VALUES ('daily_outflow', t.outflow_day), ('new_device', t.outflow_device))
                       AS held (kind, starts_at)
            WHERE held.starts_at IS NOT NULL
        ), counted AS (
            INSERT INTO outflow_windows AS w (user_id, currency, kind, starts_at, moved)
            SELECT user_id, currency, kind, starts_at, sum(amount) FROM touched
            GROUP BY user_id, currency, kind, starts_at ORDER BY user_id, currency, kind, starts_at
            ON CONFLICT ON CONSTRAINT outflow_windows_pkey DO UPDATE SET moved = w.moved + EXCLUDED.moved
            RETURNING w.user_id, w.currency, w.kind, w.starts_at, w.moved
        ), full_days AS (
            SELECT a.id FROM UNNEST(asked) AS a
            JOIN counted c ON c.user_id = a.user_id AND c.starts_at = a.day
            WHERE c.kind = 'daily_outflow' AND c.currency = its_currency AND c.moved > a.day_most
        ), full_devices AS (
            SELECT a.id FROM UNNEST(asked) AS a
            JOIN counted c ON c.user_id = a.user_id AND c.starts_at = a.device
            WHERE c.kind = 'new_device' AND c.currency = its_currency AND c.moved > a.device_most
        )
        SELECT ARRAY_AGG(a ORDER BY a.place) INTO tight FROM UNNEST(asked) AS a
        JOIN (SELECT f.id FROM full_days f UNION SELECT f.id FROM full_devices f) AS over USING (id);
    END IF;

    -- Where that was too much, everybody who shares the window is decided anew, one after the other.
    IF tight IS NOT NULL THEN
        FOR back IN
            SELECT a.user_id, held.kind, held.starts_at, sum(a.amount) AS amount FROM UNNEST(tight) AS a
            CROSS JOIN LATERAL (VALUES ('daily_outflow', a.day), ('new_device', a.device)) AS held (kind, starts_at)
            WHERE held.starts_at IS NOT NULL GROUP BY a.user_id, held.kind, held.starts_at
        LOOP
            UPDATE outflow_windows w SET moved = w.moved - back.amount
            WHERE w.user_id = back.user_id AND w.currency = its_currency AND w.kind = back.kind
              AND w.starts_at = back.starts_at;
        END LOOP;
        FOREACH ask IN ARRAY tight LOOP
            verdict := outflow_decide(ask, its_currency);
            IF verdict.name IS NOT NULL THEN
                refused := refused || ask.id;
                names := names || verdict.name;
                mosts := mosts || verdict.most;
                rests := rests || verdict.rest;
            END IF;
        END LOOP;
    END IF;

    RETURN QUERY
        SELECT claimed.id, CASE WHEN no.id IS NULL THEN a.day END, CASE WHEN no.id IS NULL THEN a.device END, no.name,
               no.most, no.rest
        FROM UNNEST(fresh) AS claimed (id)
        LEFT JOIN UNNEST(asked) AS a ON a.id = claimed.id
        LEFT JOIN UNNEST(refused, names, mosts, rests) AS no (id, name, most, rest) ON no.id = claimed.id;
END $$;

-- As before; and who fails is given back what was counted, in the windows that it was counted in.
CREATE OR REPLACE FUNCTION settle_transfers(
    ids uuid[], statuses text[], codes text[], messages text[], times timestamptz[])
    RETURNS SETOF uuid LANGUAGE plpgsql
    SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
    -- Those with a lease are the initiated ones. Asked by the status, the planner would look for them in the index of all that
    -- are initiated, and find there every transfer of the last minutes.
    RETURN QUERY
        WITH ended AS (
            UPDATE transactions t
            SET status = ends.status, failure_code = ends.code, failure_message = ends.message,
                completed_at = ends.completed_at, leased_until = NULL
            FROM UNNEST(ids, statuses, codes, messages, times) AS ends (id, status, code, message, completed_at)
            WHERE t.id = ends.id AND t.leased_until IS NOT NULL
            RETURNING t.id, t.status, t.from_user_id, t.currency, t.amount, t.outflow_day, t.outflow_device
        ), back AS (
            SELECT e.from_user_id, e.currency, held.kind, held.starts_at, sum(e.amount) AS amount FROM ended e
            CROSS JOIN LATERAL (VALUES ('daily_outflow', e.outflow_day), ('new_device', e.outflow_device))
                       AS held (kind, starts_at)
            WHERE e.status = 'failed' AND held.starts_at IS NOT NULL
            GROUP BY e.from_user_id, e.currency, held.kind, held.starts_at
        ), given_back AS (
            UPDATE outflow_windows w SET moved = w.moved - back.amount FROM back
            WHERE w.user_id = back.from_user_id AND w.currency = back.currency AND w.kind = back.kind
              AND w.starts_at = back.starts_at
        )
        SELECT ended.id FROM ended;
END $$;
