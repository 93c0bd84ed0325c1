-- What somebody proves who they are with beside the password (names of RFC 8176). Their own tables have the particulars; here is
-- what every sign-in and every token asks for.
ALTER TABLE users
    ADD COLUMN factors text[] NOT NULL DEFAULT '{}',
    ADD CONSTRAINT users_factors_known CHECK (factors <@ ARRAY['otp', 'recovery', 'hwk', 'swk', 'pin']) NOT VALID;

-- How a session was proved, and when. Those of before, and of an older release beside this one, were by a password when they were opened.
ALTER TABLE sessions
    ADD COLUMN methods   text[] NOT NULL DEFAULT '{pwd}',
    ADD COLUMN proved_at timestamptz,
    -- When the transaction PIN was last told in it.
    ADD COLUMN pin_at    timestamptz,
    ADD CONSTRAINT sessions_methods_known
        CHECK (cardinality(methods) > 0 AND methods <@ ARRAY['pwd', 'otp', 'recovery', 'hwk', 'swk']) NOT VALID;

-- Sign-ins under way: the password was right, and the second factor is asked for.
CREATE TABLE sign_in_challenges (
    token_hash bytea       CONSTRAINT sign_in_challenges_pkey PRIMARY KEY,
    user_id    uuid        NOT NULL CONSTRAINT sign_in_challenges_user_fkey REFERENCES users (id),
    -- What was proved already.
    methods    text[]      NOT NULL,
    attempts   smallint    NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT sign_in_challenges_hash_is_sha256 CHECK (octet_length(token_hash) = 32),
    CONSTRAINT sign_in_challenges_attempts_bounded CHECK (attempts BETWEEN 0 AND 5),
    CONSTRAINT sign_in_challenges_expire_later CHECK (expires_at > created_at)
);

CREATE INDEX sign_in_challenges_user_idx ON sign_in_challenges (user_id);
CREATE INDEX sign_in_challenges_expires_at_idx ON sign_in_challenges (expires_at);
