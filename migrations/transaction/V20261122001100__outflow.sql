-- What has left a person's wallets for other people's, within a window: a day of the country, or the first hours of a device that
-- was bound a moment ago. A transfer is counted in the statement that begins it, and given back in the one that ends it as failed.
-- So `moved` is the sum of the transfers that name the window and have not failed. One of the kind 'new_device' that begins at the epoch
-- is counted in by none: whoever counts on any device of the person locks it, because their new devices share one limit.
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

-- How often the ledger has refused in a day what somebody sent to a person, because it was more than that person's wallet may hold. Each
-- time tells something of what is in it. Counted in the statement that ends the transfer as failed.
CREATE TABLE ceiling_refusals (
    user_id      uuid        NOT NULL,
    -- As the transfer was counted.
    day          timestamptz NOT NULL,
    recipient_id uuid        NOT NULL,
    refused      bigint      NOT NULL,
    CONSTRAINT ceiling_refusals_pkey PRIMARY KEY (user_id, day, recipient_id),
    CONSTRAINT ceiling_refusals_refused_positive CHECK (refused > 0)
);

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
    ADD CONSTRAINT transactions_over_limit_known CHECK (
        over_limit IN ('daily_outflow', 'new_device', 'recipient_ceiling')) NOT VALID,
    ADD CONSTRAINT transactions_over_limit_whole CHECK (
        (over_limit IS NULL) = (over_limit_most IS NULL) AND (over_limit IS NULL) = (over_limit_left IS NULL)) NOT VALID,
    ADD CONSTRAINT transactions_over_limit_moves_nothing CHECK (
        over_limit IS NULL OR (outflow_day IS NULL AND status IN ('initiated', 'failed'))) NOT VALID,
    -- The release before knows nothing of limits, and hands whatever it finds without a lease to the ledger. So these have one that
    -- does not end, and who knows of limits finds them by their age.
    ADD CONSTRAINT transactions_over_limit_never_taken CHECK (
        over_limit IS NULL OR leased_until IS NULL OR leased_until = '9999-12-31T00:00:00Z') NOT VALID;

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

-- A transfer that counts: to whom, in which windows, and the most that each may hold (null: no limit).
CREATE TYPE outflow_ask AS (
    id uuid, place bigint, user_id uuid, recipient_id uuid, amount bigint, day timestamptz, day_most bigint,
    device timestamptz, device_most bigint);

-- What has left by a person's devices that are new, and by the one that was bound then. Who asks has locked them.
CREATE FUNCTION outflow_by_new_devices(its_user uuid, its_currency char(3), device timestamptz, new_since timestamptz)
    RETURNS numeric LANGUAGE sql
    SET enable_seqscan = off
AS $$
    SELECT COALESCE(sum(w.moved), 0) FROM outflow_windows w
    WHERE w.user_id = its_user AND w.currency = its_currency AND w.kind = 'new_device'
      AND (w.starts_at > new_since OR w.starts_at = device)
$$;

-- Counts one transfer, if it fits into its windows. If not, it names the limit that leaves the least, and what that is.
CREATE FUNCTION outflow_decide(
    ask outflow_ask, its_currency char(3), new_since timestamptz, OUT name text, OUT most bigint, OUT rest bigint)
    LANGUAGE plpgsql
    SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
    SELECT held.kind, held.most, GREATEST(held.most - held.moved, 0)::bigint INTO name, most, rest
    FROM (
        SELECT w.kind, ask.day_most AS most, w.moved FROM outflow_windows w
        WHERE w.user_id = ask.user_id AND w.currency = its_currency AND w.kind = 'daily_outflow' AND w.starts_at = ask.day
        UNION ALL
        SELECT 'new_device', ask.device_most,
               outflow_by_new_devices(ask.user_id, its_currency, ask.device, new_since)
        WHERE ask.device IS NOT NULL
    ) AS held
    WHERE held.moved + ask.amount > held.most
    ORDER BY held.most - held.moved LIMIT 1;
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
-- Who was refused as often as `most_refusals` because of what others may hold sends nothing more that day to those who refused it:
-- the ledger is not asked, so its answer tells nothing.
--
-- Locks are taken in one order by everybody: keys, windows, transfers, refusals; each kind sorted. So the windows of the transfers
-- that are about to fail (`failing`) are locked here, too.
CREATE FUNCTION claim_transfers(
    its_callers text[], its_keys text[], its_hashes bytea[], its_ids uuid[], at timestamptz, its_users uuid[],
    its_recipients uuid[], its_amounts bigint[], its_days timestamptz[], its_devices timestamptz[], its_currency char(3),
    -- From tier 0 on.
    day_limits bigint[], device_limit bigint,
    -- When a device was bound at the earliest that is still new.
    new_since timestamptz, most_refusals bigint, failing uuid[])
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
    shut uuid[];
    tight outflow_ask[];
    tight_devices outflow_ask[];
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
        SELECT ROW(new.id, new.place, new.user_id, new.recipient_id, new.amount, new.day,
                   day_limits[1 + COALESCE((SELECT d.kyc_tier FROM directory_users d WHERE d.user_id = new.user_id
                                            AND d.kyc_tier BETWEEN 0 AND cardinality(day_limits) - 1), 0)],
                   new.device, CASE WHEN new.device IS NOT NULL THEN device_limit END)::outflow_ask
        FROM UNNEST(its_ids, its_users, its_recipients, its_amounts, its_days, its_devices) WITH ORDINALITY
             AS new (id, user_id, recipient_id, amount, day, device, place)
        JOIN UNNEST(fresh) AS claimed (id) USING (id)
        WHERE new.day IS NOT NULL);

    IF cardinality(asked) > 0 THEN
        SELECT ARRAY_AGG(a.id) INTO shut FROM UNNEST(asked) AS a
        CROSS JOIN LATERAL (
            SELECT sum(r.refused) AS times, bool_or(r.recipient_id = a.recipient_id) AS by_this FROM ceiling_refusals r
            WHERE r.user_id = a.user_id AND r.day = a.day) AS told
        WHERE told.by_this AND told.times >= most_refusals;
    END IF;
    IF shut IS NOT NULL THEN
        asked := ARRAY(SELECT a FROM UNNEST(asked) AS a WHERE a.id <> ALL (shut));
        refused := shut;
        names := ARRAY_FILL('recipient_ceiling'::text, ARRAY[cardinality(shut)]);
        mosts := ARRAY_FILL(most_refusals, ARRAY[cardinality(shut)]);
        rests := ARRAY_FILL(0::bigint, ARRAY[cardinality(shut)]);
    END IF;

    IF cardinality(asked) > 0 OR cardinality(failing) > 0 THEN
        -- All are counted, which is right for nearly all.
        WITH touched AS (
            SELECT a.user_id, its_currency AS currency, held.kind, held.starts_at, a.amount
            FROM UNNEST(asked) AS a
            CROSS JOIN LATERAL (VALUES ('daily_outflow', a.day), ('new_device', a.device)) AS held (kind, starts_at)
            WHERE held.starts_at IS NOT NULL
            UNION ALL
            SELECT a.user_id, its_currency, 'new_device', 'epoch', 0 FROM UNNEST(asked) AS a WHERE a.device IS NOT NULL
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
        )
        SELECT ARRAY_AGG(a ORDER BY a.place) INTO tight FROM UNNEST(asked) AS a
        JOIN full_days USING (id);
        -- A statement of its own, because it sees what others had counted on these devices before the locks were ours.
        SELECT ARRAY_AGG(a) INTO tight_devices FROM UNNEST(asked) AS a
        WHERE a.device IS NOT NULL
          AND outflow_by_new_devices(a.user_id, its_currency, a.device, new_since) > a.device_most;
        IF tight_devices IS NOT NULL THEN
            tight := ARRAY(SELECT a FROM UNNEST(asked) AS a
                           WHERE a.id IN (SELECT one.id FROM UNNEST(tight || tight_devices) AS one) ORDER BY a.place);
        END IF;
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
            verdict := outflow_decide(ask, its_currency, new_since);
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

-- As before; and who fails is given back what was counted, in the windows that it was counted in. If it was counted, `limit_exceeded` is
-- the ledger's word for a ceiling of the recipient's.
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
            RETURNING t.id, t.status, t.failure_code, t.from_user_id, t.to_user_id, t.currency, t.amount, t.outflow_day,
                      t.outflow_device
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
        ), told AS (
            INSERT INTO ceiling_refusals AS r (user_id, day, recipient_id, refused)
            SELECT e.from_user_id, e.outflow_day, e.to_user_id, count(*) FROM ended e
            WHERE e.failure_code = 'limit_exceeded' AND e.outflow_day IS NOT NULL
            GROUP BY e.from_user_id, e.outflow_day, e.to_user_id ORDER BY e.from_user_id, e.outflow_day, e.to_user_id
            ON CONFLICT ON CONSTRAINT ceiling_refusals_pkey DO UPDATE SET refused = r.refused + EXCLUDED.refused
        )
        SELECT ended.id FROM ended;
END $$;
