-- Bounds of a balance, freezing by direction, closing; what captures, reversals and refunds hang on.

ALTER TABLE accounts
    DROP CONSTRAINT accounts_kind_known,
    ADD CONSTRAINT accounts_kind_known
        CHECK (kind IN ('customer', 'provider_settlement', 'fee', 'tax', 'suspense', 'equity', 'position')),
    DROP CONSTRAINT accounts_status_known,
    ADD CONSTRAINT accounts_status_known
        CHECK (status IN ('active', 'frozen_in', 'frozen_out', 'frozen', 'closed')),
    ADD CONSTRAINT accounts_rules_key UNIQUE (id, currency, may_overdraw, status);

-- The status is the account's; the balance repeats it, so that a CHECK can hold that a closed account is empty.
ALTER TABLE balances
    ADD COLUMN status  text   NOT NULL DEFAULT 'active',
    -- What is available never falls below it, unless the account may overdraw.
    ADD COLUMN floor   bigint NOT NULL DEFAULT 0,
    -- What is posted never rises above it.
    ADD COLUMN ceiling bigint;
UPDATE balances b SET status = a.status FROM accounts a WHERE a.id = b.account_id AND a.status <> 'active';
ALTER TABLE balances
    DROP CONSTRAINT balances_rule_fkey,
    ADD CONSTRAINT balances_rules_fkey FOREIGN KEY (account_id, currency, may_overdraw, status)
        REFERENCES accounts (id, currency, may_overdraw, status) ON UPDATE CASCADE,
    DROP CONSTRAINT balances_available_not_negative,
    ADD CONSTRAINT balances_available_above_floor CHECK (may_overdraw OR posted - held >= floor),
    ADD CONSTRAINT balances_posted_below_ceiling CHECK (posted <= ceiling),
    ADD CONSTRAINT balances_closed_empty CHECK (status <> 'closed' OR (posted = 0 AND held = 0));
ALTER TABLE accounts DROP CONSTRAINT accounts_rule_key;

-- Which hold a posting captures or releases, which posting it takes back, and the group that it was posted with.
ALTER TABLE postings
    ADD COLUMN hold_id    uuid CONSTRAINT postings_hold_fkey REFERENCES holds (id),
    ADD COLUMN takes_back uuid CONSTRAINT postings_takes_back_fkey REFERENCES postings (id),
    ADD COLUMN group_id   uuid,
    ADD CONSTRAINT postings_linked_when_posted
        CHECK (outcome = 'posted' OR (hold_id IS NULL AND takes_back IS NULL));

CREATE INDEX postings_hold_idx ON postings (hold_id) WHERE hold_id IS NOT NULL;
CREATE INDEX postings_takes_back_idx ON postings (takes_back) WHERE takes_back IS NOT NULL;
-- A posting is reversed once.
CREATE UNIQUE INDEX postings_reversed_key ON postings (takes_back) WHERE type = 'reversal';

-- What has gone back, of what a posting took from an account. A reversal gives back all of it.
CREATE TABLE posting_returns (
    posting_id uuid   NOT NULL CONSTRAINT posting_returns_posting_fkey REFERENCES postings (id),
    account_id uuid   NOT NULL CONSTRAINT posting_returns_account_fkey REFERENCES accounts (id),
    taken      bigint NOT NULL,
    returned   bigint NOT NULL,
    CONSTRAINT posting_returns_pkey PRIMARY KEY (posting_id, account_id),
    CONSTRAINT posting_returns_within CHECK (returned BETWEEN 0 AND taken)
);

CREATE INDEX holds_overdue_idx ON holds (expires_at) WHERE status = 'held';
