-- The directory: who can be paid, as the other services told by events. Recipients are found by a phone number, an
-- email address or an account number; of these only keyed hashes (HMAC-SHA256) are kept, which is all a look-up needs.

CREATE TABLE directory_users (
    user_id      uuid        NOT NULL CONSTRAINT directory_users_pkey PRIMARY KEY,
    email_hash   bytea       NOT NULL,
    phone_hash   bytea       NOT NULL,
    -- As shown to the other side of a transfer: "Ada O.".
    display_name text        NOT NULL,
    -- The rest of what the event tells: it is taken in once and not asked for again.
    kyc_tier     smallint    NOT NULL,
    status       text        NOT NULL,
    -- The time of the event; an older one that comes later changes nothing.
    changed_at   timestamptz NOT NULL,
    CONSTRAINT directory_users_hash_length CHECK (length(email_hash) = 32 AND length(phone_hash) = 32),
    CONSTRAINT directory_users_name_given CHECK (display_name <> '')
);

-- Not unique: an address may pass from one person to another, and of two events either may come first.
CREATE INDEX directory_users_email_idx ON directory_users (email_hash);
CREATE INDEX directory_users_phone_idx ON directory_users (phone_hash);

-- Whose a wallet is and what it holds never changes.
CREATE TABLE directory_wallets (
    wallet_id  uuid        NOT NULL CONSTRAINT directory_wallets_pkey PRIMARY KEY,
    user_id    uuid        NOT NULL,
    currency   char(3)     NOT NULL,
    created_at timestamptz NOT NULL
);

-- A person's oldest wallet in a currency is the one that a phone number or an email address leads to.
CREATE INDEX directory_wallets_user_idx ON directory_wallets (user_id, currency, created_at, wallet_id);

CREATE TABLE directory_account_numbers (
    number_hash bytea NOT NULL,
    wallet_id   uuid  NOT NULL,
    CONSTRAINT directory_account_numbers_pkey PRIMARY KEY (number_hash, wallet_id),
    CONSTRAINT directory_account_numbers_hash_length CHECK (length(number_hash) = 32)
);
