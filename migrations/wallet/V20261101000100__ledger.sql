-- The ledger: double entry, append-only, exact. Its invariants live here, under names that the code maps to refusals.

-- Accounts: one a wallet (same id), and those of the platform itself, known by a code and a currency.
CREATE TABLE accounts (
    id            uuid        NOT NULL CONSTRAINT accounts_pkey PRIMARY KEY,
    kind          text        NOT NULL,
    code          text,
    currency      char(3)     NOT NULL,
    may_overdraw  boolean     NOT NULL DEFAULT false,
    status        text        NOT NULL DEFAULT 'active',
    created_at    timestamptz NOT NULL,
    CONSTRAINT accounts_kind_known
        CHECK (kind IN ('customer', 'provider_settlement', 'fee', 'tax', 'suspense', 'equity')),
    CONSTRAINT accounts_status_known CHECK (status IN ('active', 'frozen', 'closed')),
    -- A customer's account has no code; one of the platform is found by it.
    CONSTRAINT accounts_code_of_platform CHECK ((kind = 'customer') = (code IS NULL)),
    CONSTRAINT accounts_code_currency_key UNIQUE (code, currency),
    -- Lets balances repeat the rule, so that a CHECK can hold it.
    CONSTRAINT accounts_rule_key UNIQUE (id, currency, may_overdraw)
);

-- The balance of an account: credits less debits. What customers hold is positive, what banks hold for us is negative,
-- and all accounts of a currency together are zero.
CREATE TABLE balances (
    account_id    uuid        NOT NULL CONSTRAINT balances_pkey PRIMARY KEY,
    currency      char(3)     NOT NULL,
    may_overdraw  boolean     NOT NULL,
    posted        bigint      NOT NULL DEFAULT 0,
    held          bigint      NOT NULL DEFAULT 0,
    -- How many entries the account has; the number of its last one.
    entries       bigint      NOT NULL DEFAULT 0,
    updated_at    timestamptz NOT NULL,
    CONSTRAINT balances_rule_fkey FOREIGN KEY (account_id, currency, may_overdraw)
        REFERENCES accounts (id, currency, may_overdraw) ON UPDATE CASCADE,
    CONSTRAINT balances_held_not_negative CHECK (held >= 0),
    CONSTRAINT balances_available_not_negative CHECK (may_overdraw OR posted - held >= 0),
    CONSTRAINT balances_entries_not_negative CHECK (entries >= 0)
) WITH (fillfactor = 70);

-- A posting: what was asked for, and for ever what became of it. The same id with other content is an error.
CREATE TABLE postings (
    id            uuid        NOT NULL CONSTRAINT postings_pkey PRIMARY KEY,
    content_hash  bytea       NOT NULL,
    type          text        NOT NULL,
    outcome       text        NOT NULL,
    refusal       jsonb,
    posted_at     timestamptz NOT NULL,
    CONSTRAINT postings_outcome_known CHECK (outcome IN ('posted', 'refused')),
    CONSTRAINT postings_refusal_given CHECK ((outcome = 'refused') = (refusal IS NOT NULL))
);

-- Entries: one for each account and leg side, numbered per account without gaps, with the balance after it.
CREATE TABLE entries (
    account_id    uuid        NOT NULL,
    sequence      bigint      NOT NULL,
    id            uuid        NOT NULL,
    posting_id    uuid        NOT NULL,
    direction     text        NOT NULL,
    amount        bigint      NOT NULL,
    balance_after bigint      NOT NULL,
    description   text        NOT NULL,
    posted_at     timestamptz NOT NULL,
    CONSTRAINT entries_pkey PRIMARY KEY (account_id, sequence),
    CONSTRAINT entries_account_fkey FOREIGN KEY (account_id) REFERENCES accounts (id),
    CONSTRAINT entries_posting_fkey FOREIGN KEY (posting_id) REFERENCES postings (id),
    CONSTRAINT entries_sequence_positive CHECK (sequence > 0),
    CONSTRAINT entries_amount_positive CHECK (amount > 0),
    CONSTRAINT entries_direction_known CHECK (direction IN ('debit', 'credit'))
);

-- The balance at a time, and the entries of a period, are one look-up.
CREATE INDEX entries_account_time_idx ON entries (account_id, posted_at, sequence) INCLUDE (balance_after);
CREATE INDEX entries_posting_idx ON entries (posting_id);

-- Money set aside: it is still the account's, and not available. One final state.
CREATE TABLE holds (
    id            uuid        NOT NULL CONSTRAINT holds_pkey PRIMARY KEY,
    account_id    uuid        NOT NULL,
    amount        bigint      NOT NULL,
    captured      bigint      NOT NULL DEFAULT 0,
    status        text        NOT NULL DEFAULT 'held',
    expires_at    timestamptz NOT NULL,
    created_at    timestamptz NOT NULL,
    closed_at     timestamptz,
    CONSTRAINT holds_account_fkey FOREIGN KEY (account_id) REFERENCES accounts (id),
    CONSTRAINT holds_amount_positive CHECK (amount > 0),
    CONSTRAINT holds_captured_within CHECK (captured BETWEEN 0 AND amount),
    CONSTRAINT holds_status_known CHECK (status IN ('held', 'captured', 'released', 'expired')),
    CONSTRAINT holds_closed_once CHECK ((status = 'held') = (closed_at IS NULL)),
    CONSTRAINT holds_captured_means_some CHECK (status <> 'captured' OR captured > 0)
);

CREATE INDEX holds_open_idx ON holds (account_id) WHERE status = 'held';
CREATE INDEX holds_account_time_idx ON holds (account_id, created_at);

-- History is not rewritten.
CREATE FUNCTION ledger_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only: % of % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER entries_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON entries
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only();
CREATE TRIGGER postings_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON postings
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only();

-- A hold in its final state stays as it is.
CREATE FUNCTION hold_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'hold % is % for ever', OLD.id, OLD.status USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER holds_final BEFORE UPDATE ON holds
    FOR EACH ROW WHEN (OLD.status <> 'held') EXECUTE FUNCTION hold_final();
CREATE TRIGGER holds_kept BEFORE DELETE OR TRUNCATE ON holds
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only();
