-- People: who they are, how they prove it, which tier and roles they have.

CREATE TABLE users (
    id             uuid        CONSTRAINT users_pkey PRIMARY KEY,
    email          text        NOT NULL CONSTRAINT users_email_key UNIQUE,
    phone_number   text        NOT NULL CONSTRAINT users_phone_number_key UNIQUE,
    first_name     text        NOT NULL,
    last_name      text        NOT NULL,
    email_verified boolean     NOT NULL DEFAULT false,
    phone_verified boolean     NOT NULL DEFAULT false,
    kyc_tier       smallint    NOT NULL DEFAULT 0,
    roles          text[]      NOT NULL,
    status         text        NOT NULL DEFAULT 'active',
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    -- One spelling an address, so that uniqueness does not hang on upper and lower case.
    CONSTRAINT users_email_lower_case CHECK (email = lower(email) AND length(email) <= 254),
    CONSTRAINT users_phone_number_e164 CHECK (phone_number ~ '^\+[1-9][0-9]{6,14}$'),
    CONSTRAINT users_first_name_length CHECK (length(first_name) BETWEEN 1 AND 100),
    CONSTRAINT users_last_name_length CHECK (length(last_name) BETWEEN 1 AND 100),
    CONSTRAINT users_kyc_tier_known CHECK (kyc_tier BETWEEN 0 AND 3),
    CONSTRAINT users_roles_known CHECK (
        cardinality(roles) > 0 AND roles <@ ARRAY['user', 'support', 'compliance', 'finance', 'admin']
    ),
    CONSTRAINT users_status_known CHECK (status IN ('active', 'suspended', 'closed'))
);

-- Apart from the person, so that no query for a profile ever reads a hash.
CREATE TABLE password_credentials (
    user_id    uuid        CONSTRAINT password_credentials_pkey PRIMARY KEY
                           CONSTRAINT password_credentials_user_fkey REFERENCES users (id),
    -- PHC format: algorithm, parameters, salt, hash.
    hash       text        NOT NULL,
    changed_at timestamptz NOT NULL
);
