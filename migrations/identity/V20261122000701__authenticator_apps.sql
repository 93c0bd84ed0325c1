-- Authenticator apps (RFC 6238): one a person. Not confirmed, it is none yet.
CREATE TABLE totp_factors (
    user_id      uuid        CONSTRAINT totp_factors_pkey PRIMARY KEY
                             CONSTRAINT totp_factors_user_fkey REFERENCES users (id),
    -- Encrypted, bound to the person.
    secret       bytea       NOT NULL,
    created_at   timestamptz NOT NULL,
    confirmed_at timestamptz,
    -- The time step of the last code that was taken: no code is taken twice, nor one of before it.
    last_step    bigint,
    CONSTRAINT totp_factors_confirmed_by_a_code CHECK ((confirmed_at IS NULL) = (last_step IS NULL))
);

CREATE INDEX totp_factors_waiting_idx ON totp_factors (created_at) WHERE confirmed_at IS NULL;

-- Codes for the day on which everything else is lost, each good once. Only keyed hashes.
CREATE TABLE recovery_codes (
    user_id    uuid        NOT NULL CONSTRAINT recovery_codes_user_fkey REFERENCES users (id),
    code_hash  bytea       NOT NULL,
    created_at timestamptz NOT NULL,
    used_at    timestamptz,
    CONSTRAINT recovery_codes_pkey PRIMARY KEY (user_id, code_hash),
    CONSTRAINT recovery_codes_hash_is_sha256 CHECK (octet_length(code_hash) = 32)
);
