-- What people give machines of theirs to act for them: a key with its scopes, and the secrets that prove it.

CREATE TABLE api_keys (
    id         uuid        CONSTRAINT api_keys_pkey PRIMARY KEY,
    -- For whom the machine acts.
    user_id    uuid        NOT NULL CONSTRAINT api_keys_user_fkey REFERENCES users (id),
    name       text        NOT NULL,
    scopes     text[]      NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    CONSTRAINT api_keys_name_length CHECK (char_length(name) BETWEEN 1 AND 60),
    CONSTRAINT api_keys_some_scopes CHECK (cardinality(scopes) BETWEEN 1 AND 50),
    -- A year of days; daylight saving may stretch it by an hour.
    CONSTRAINT api_keys_within_a_year
        CHECK (expires_at > created_at AND expires_at <= created_at + interval '8761 hours'),
    CONSTRAINT api_keys_revoked_later CHECK (revoked_at >= created_at)
);

CREATE INDEX api_keys_user_id_idx ON api_keys (user_id) WHERE revoked_at IS NULL;
CREATE INDEX api_keys_expires_at_idx ON api_keys (expires_at);

-- One in force, and while the key is rotated the one before. The id is the session of the tokens that are got with it.
CREATE TABLE api_key_secrets (
    id           uuid        CONSTRAINT api_key_secrets_pkey PRIMARY KEY,
    api_key_id   uuid        NOT NULL
                             CONSTRAINT api_key_secrets_key_fkey REFERENCES api_keys (id) ON DELETE CASCADE,
    -- SHA-256: of 256 random bits nobody finds the original.
    secret_hash  bytea       NOT NULL,
    created_at   timestamptz NOT NULL,
    valid_until  timestamptz NOT NULL,
    -- To within some minutes.
    last_used_at timestamptz,
    CONSTRAINT api_key_secrets_hash_is_sha256 CHECK (octet_length(secret_hash) = 32),
    CONSTRAINT api_key_secrets_end_later CHECK (valid_until >= created_at)
);

CREATE INDEX api_key_secrets_api_key_id_idx ON api_key_secrets (api_key_id);
