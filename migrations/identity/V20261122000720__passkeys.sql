-- Passkeys: public keys whose private halves an authenticator of the person's keeps.

-- How authenticators know a person: a number at random that says nothing about them, wherever it is synchronised to.
CREATE TABLE passkey_owners (
    user_id uuid CONSTRAINT passkey_owners_pkey PRIMARY KEY
                 CONSTRAINT passkey_owners_user_fkey REFERENCES users (id),
    handle  uuid NOT NULL CONSTRAINT passkey_owners_handle_key UNIQUE
);

CREATE TABLE passkeys (
    id            uuid        CONSTRAINT passkeys_pkey PRIMARY KEY,
    user_id       uuid        NOT NULL CONSTRAINT passkeys_owner_fkey REFERENCES passkey_owners (user_id),
    credential_id bytea       NOT NULL CONSTRAINT passkeys_credential_key UNIQUE,
    -- The public key, and what is remembered of its last use.
    credential    jsonb       NOT NULL,
    name          text        NOT NULL,
    created_at    timestamptz NOT NULL,
    last_used_at  timestamptz,
    -- Since then it seems that there are two of it: it proves nothing any more.
    disabled_at   timestamptz,
    CONSTRAINT passkeys_credential_id_length CHECK (octet_length(credential_id) BETWEEN 1 AND 1023),
    CONSTRAINT passkeys_name_length CHECK (length(name) BETWEEN 1 AND 100)
);

CREATE INDEX passkeys_user_idx ON passkeys (user_id, id DESC);

-- Ceremonies that are under way: each is for one purpose and one person, and is taken out by its first use.
CREATE TABLE passkey_ceremonies (
    id           uuid        CONSTRAINT passkey_ceremonies_pkey PRIMARY KEY,
    purpose      text        NOT NULL,
    user_id      uuid        CONSTRAINT passkey_ceremonies_user_fkey REFERENCES users (id),
    -- The session in which it was begun, or the sign-in whose second factor it is.
    bound_to     uuid,
    -- The challenge, and what was asked for with it.
    state        jsonb       NOT NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    CONSTRAINT passkey_ceremonies_purpose_known
        CHECK (purpose IN ('register', 'sign_in', 'second_factor', 'step_up')),
    -- Only who signs in is nobody yet.
    CONSTRAINT passkey_ceremonies_bound
        CHECK ((purpose = 'sign_in') = (user_id IS NULL) AND (user_id IS NULL) = (bound_to IS NULL)),
    CONSTRAINT passkey_ceremonies_expire_later CHECK (expires_at > created_at)
);

CREATE INDEX passkey_ceremonies_expires_at_idx ON passkey_ceremonies (expires_at);
