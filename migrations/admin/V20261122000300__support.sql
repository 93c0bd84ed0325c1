-- What support sees of customers: kept by the events of the other services, and made anew from them by
-- `admin-service projection rebuild support`, which puts a copy in the place of these tables. So they have neither triggers nor
-- foreign keys, and no statement here relies on the order in which events come: a row says which event it was taken from,
-- and an older one changes nothing.

-- Contacts are masked before they are kept: no address and no number lies in these tables in clear.
CREATE TABLE support_users (
    user_id      uuid        NOT NULL CONSTRAINT support_users_pkey PRIMARY KEY,
    email_masked text        NOT NULL,
    phone_masked text        NOT NULL,
    first_name   text        NOT NULL,
    last_name    text        NOT NULL,
    kyc_tier     smallint    NOT NULL,
    roles        text[]      NOT NULL,
    status       text        NOT NULL,
    created_at   timestamptz NOT NULL,
    as_of        timestamptz NOT NULL,
    event_id     uuid        NOT NULL
);

CREATE TABLE support_wallets (
    wallet_id  uuid        NOT NULL CONSTRAINT support_wallets_pkey PRIMARY KEY,
    user_id    uuid        NOT NULL,
    currency   text        NOT NULL,
    name       text,
    status     text        NOT NULL,
    -- While it is frozen: which direction is shut.
    frozen     text,
    reason     text,
    created_at timestamptz NOT NULL,
    as_of      timestamptz NOT NULL,
    event_id   uuid        NOT NULL
);

CREATE INDEX support_wallets_user_idx ON support_wallets (user_id, wallet_id);

-- The balance after the last entry. Entries are numbered, so the greater number is the later one.
CREATE TABLE support_balances (
    wallet_id uuid        NOT NULL CONSTRAINT support_balances_pkey PRIMARY KEY,
    posted    bigint      NOT NULL,
    sequence  bigint      NOT NULL,
    as_of     timestamptz NOT NULL
);

-- Account numbers at banks, of which the last four digits are kept. What was issued does not change.
CREATE TABLE support_accounts (
    wallet_id             uuid        NOT NULL,
    bank_code             text        NOT NULL,
    account_number_masked text        NOT NULL,
    issued_at             timestamptz NOT NULL,
    account_name          text        NOT NULL,
    bank_name             text        NOT NULL,
    provider              text        NOT NULL,
    CONSTRAINT support_accounts_pkey PRIMARY KEY (wallet_id, bank_code, account_number_masked, issued_at)
);

CREATE TABLE support_transactions (
    transaction_id uuid        NOT NULL CONSTRAINT support_transactions_pkey PRIMARY KEY,
    type           text        NOT NULL,
    status         text        NOT NULL,
    amount         bigint      NOT NULL,
    currency       text        NOT NULL,
    fee            bigint      NOT NULL,
    fee_currency   text        NOT NULL,
    from_wallet_id uuid,
    to_wallet_id   uuid,
    from_user_id   uuid,
    to_user_id     uuid,
    reference      text        NOT NULL,
    failure        text,
    created_at     timestamptz NOT NULL,
    completed_at   timestamptz,
    -- How far the status is on its way: of two events the one that is further tells, whatever the clocks say.
    progress       smallint    NOT NULL,
    as_of          timestamptz NOT NULL,
    event_id       uuid        NOT NULL
);

-- Lists are newest first, and ids are in the order of time.
CREATE INDEX support_transactions_from_idx ON support_transactions (from_user_id, transaction_id DESC)
    WHERE from_user_id IS NOT NULL;
CREATE INDEX support_transactions_to_idx ON support_transactions (to_user_id, transaction_id DESC)
    WHERE to_user_id IS NOT NULL;

-- Who sent money that came in from a bank: it is in the entry, and not in the transaction. Entries do not change.
CREATE TABLE support_counterparties (
    transaction_id uuid NOT NULL,
    entry_id       uuid NOT NULL,
    name           text NOT NULL,
    CONSTRAINT support_counterparties_pkey PRIMARY KEY (transaction_id, entry_id)
);

-- Tickets about a transaction, newest first.
CREATE INDEX IF NOT EXISTS tickets_related_idx ON tickets (related_type, related_id, id DESC) WHERE related_id IS NOT NULL;
