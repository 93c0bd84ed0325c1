-- Wallets, the account numbers that lead to them, and what providers send.

CREATE TABLE wallets (
    id         uuid        NOT NULL CONSTRAINT wallets_pkey PRIMARY KEY
                           CONSTRAINT wallets_account_fkey REFERENCES accounts (id),
    user_id    uuid        NOT NULL,
    currency   char(3)     NOT NULL,
    name       text,
    -- A person has ten places. The first is kept for the wallet that everybody gets when they register.
    place      smallint    NOT NULL,
    is_default boolean     NOT NULL GENERATED ALWAYS AS (place = 0) STORED,
    created_at timestamptz NOT NULL,
    CONSTRAINT wallets_place_within CHECK (place BETWEEN 0 AND 9),
    CONSTRAINT wallets_place_key UNIQUE (user_id, place),
    CONSTRAINT wallets_name_length CHECK (length(name) BETWEEN 1 AND 60)
);

CREATE INDEX wallets_user_idx ON wallets (user_id, id DESC);

-- A person as a provider knows them.
CREATE TABLE provider_customers (
    provider    text        NOT NULL,
    user_id     uuid        NOT NULL,
    customer_id text        NOT NULL,
    created_at  timestamptz NOT NULL,
    CONSTRAINT provider_customers_pkey PRIMARY KEY (provider, user_id),
    CONSTRAINT provider_customers_customer_key UNIQUE (provider, customer_id)
);

-- An account number at a bank. Asked for first, issued when the provider has answered.
CREATE TABLE virtual_accounts (
    wallet_id       uuid        NOT NULL CONSTRAINT virtual_accounts_pkey PRIMARY KEY
                                CONSTRAINT virtual_accounts_wallet_fkey REFERENCES wallets (id),
    user_id         uuid        NOT NULL,
    provider        text        NOT NULL,
    status          text        NOT NULL DEFAULT 'requested',
    account_number  text,
    account_name    text,
    bank_name       text,
    bank_code       text,
    attempts        integer     NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL,
    last_error      text,
    -- Of the call that led to this; the work that follows runs under it.
    correlation_id  text        NOT NULL,
    created_at      timestamptz NOT NULL,
    issued_at       timestamptz,
    CONSTRAINT virtual_accounts_status_known CHECK (status IN ('requested', 'active')),
    CONSTRAINT virtual_accounts_number_key UNIQUE (provider, account_number),
    CONSTRAINT virtual_accounts_issued_whole CHECK (
        (status = 'requested') OR
        (account_number IS NOT NULL AND account_name IS NOT NULL AND bank_name IS NOT NULL
         AND bank_code IS NOT NULL AND issued_at IS NOT NULL))
);

CREATE INDEX virtual_accounts_due_idx ON virtual_accounts (next_attempt_at) WHERE status = 'requested';
CREATE INDEX virtual_accounts_number_idx ON virtual_accounts (account_number);

-- Every webhook as it came, stored before it is handled.
CREATE TABLE webhooks (
    id              uuid        NOT NULL CONSTRAINT webhooks_pkey PRIMARY KEY,
    provider        text        NOT NULL,
    body            bytea       NOT NULL,
    body_hash       bytea       NOT NULL,
    status          text        NOT NULL DEFAULT 'received',
    result          text,
    attempts        integer     NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL,
    correlation_id  text        NOT NULL,
    received_at     timestamptz NOT NULL,
    handled_at      timestamptz,
    -- A body that is sent again is the same webhook.
    CONSTRAINT webhooks_body_key UNIQUE (provider, body_hash),
    CONSTRAINT webhooks_status_known CHECK (status IN ('received', 'handled', 'ignored', 'failed')),
    CONSTRAINT webhooks_handled_when CHECK ((status = 'received') = (handled_at IS NULL))
);

CREATE INDEX webhooks_due_idx ON webhooks (next_attempt_at) WHERE status = 'received';

-- Money that came in at a provider, once for each of its references; the id is that of the posting. Where the wallet
-- may not take it (frozen, closed), the posting puts it on the platform's suspense account.
CREATE TABLE deposits (
    id            uuid        NOT NULL CONSTRAINT deposits_pkey PRIMARY KEY,
    provider      text        NOT NULL,
    reference     text        NOT NULL,
    wallet_id     uuid        NOT NULL CONSTRAINT deposits_wallet_fkey REFERENCES wallets (id),
    amount        bigint      NOT NULL,
    currency      char(3)     NOT NULL,
    sender_name   text,
    status        text        NOT NULL DEFAULT 'credited',
    -- Why the wallet did not take it: the code of the refusal.
    refusal       text,
    credited_at   timestamptz NOT NULL,
    CONSTRAINT deposits_reference_key UNIQUE (provider, reference),
    CONSTRAINT deposits_amount_positive CHECK (amount > 0),
    CONSTRAINT deposits_status_known CHECK (status IN ('credited', 'suspended')),
    CONSTRAINT deposits_suspended_why CHECK ((status = 'suspended') = (refusal IS NOT NULL))
);
