-- A session is a family of refresh tokens, each the successor of the one before.

CREATE TABLE sessions (
    id           uuid        CONSTRAINT sessions_pkey PRIMARY KEY,
    user_id      uuid        NOT NULL CONSTRAINT sessions_user_fkey REFERENCES users (id),
    -- The generation of the token that is in force.
    generation   integer     NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    -- Absolute: using the session does not put it off.
    expires_at   timestamptz NOT NULL,
    ended_at     timestamptz,
    end_reason   text,
    CONSTRAINT sessions_generation_counts_up CHECK (generation >= 0),
    CONSTRAINT sessions_expire_later CHECK (expires_at > created_at),
    CONSTRAINT sessions_end_reason_known CHECK (end_reason IN ('logout', 'reuse')),
    CONSTRAINT sessions_end_has_reason CHECK ((ended_at IS NULL) = (end_reason IS NULL))
);

CREATE INDEX sessions_user_idx ON sessions (user_id);
CREATE INDEX sessions_expires_at_idx ON sessions (expires_at);

-- Only hashes: what lies here signs nobody in.
CREATE TABLE refresh_tokens (
    token_hash       bytea       CONSTRAINT refresh_tokens_pkey PRIMARY KEY,
    session_id       uuid        NOT NULL
                                 CONSTRAINT refresh_tokens_session_fkey REFERENCES sessions (id) ON DELETE CASCADE,
    generation       integer     NOT NULL,
    created_at       timestamptz NOT NULL,
    replaced_at      timestamptz,
    -- The successor, encrypted under this very token: only who holds the token can ask for it again.
    -- Erased as soon as the successor has one of its own.
    sealed_successor bytea,
    CONSTRAINT refresh_tokens_hash_is_sha256 CHECK (octet_length(token_hash) = 32),
    CONSTRAINT refresh_tokens_one_a_generation UNIQUE (session_id, generation),
    CONSTRAINT refresh_tokens_sealed_when_replaced CHECK (sealed_successor IS NULL OR replaced_at IS NOT NULL)
);
