-- Who owns wallets, how far they are verified, and what their wallets may take in.

-- The tier of a person, as the last event about them told it. Only events fill it.
CREATE TABLE wallet_owners (
    user_id    uuid        NOT NULL CONSTRAINT wallet_owners_pkey PRIMARY KEY,
    -- 0 (nothing verified) to 3; a later release may know more.
    tier       smallint    NOT NULL,
    -- Of the event; an older one that comes later changes nothing.
    changed_at timestamptz NOT NULL,
    event_id   uuid        NOT NULL
);

-- What comes in never takes what is posted above it. It is no CHECK beside balances_posted_below_ceiling: it may be lowered
-- below the balance, which stays, and what is given back goes past it.
ALTER TABLE balances
    ADD COLUMN intake_ceiling bigint,
    ADD CONSTRAINT balances_intake_ceiling_not_negative CHECK (intake_ceiling >= 0) NOT VALID;
