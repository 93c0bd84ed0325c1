-- Failed sign-ins in a row: of an account at a source, of an account at all sources that are new to it, of a source at all
-- accounts that are new to it. The keys are keyed hashes: nobody reads here who tried to sign in, nor from where.
CREATE TABLE sign_in_failures (
    key           bytea       CONSTRAINT sign_in_failures_pkey PRIMARY KEY,
    failures      integer     NOT NULL,
    failed_at     timestamptz NOT NULL,
    -- Nothing is tried before then.
    blocked_until timestamptz NOT NULL,
    CONSTRAINT sign_in_failures_key_is_sha256 CHECK (octet_length(key) = 32),
    CONSTRAINT sign_in_failures_count_up CHECK (failures >= 0)
);

CREATE INDEX sign_in_failures_failed_at_idx ON sign_in_failures (failed_at);

-- Where an account has signed in before: what strangers do elsewhere does not shut these out.
CREATE TABLE sign_in_places (
    key     bytea       CONSTRAINT sign_in_places_pkey PRIMARY KEY,
    seen_at timestamptz NOT NULL,
    CONSTRAINT sign_in_places_key_is_sha256 CHECK (octet_length(key) = 32)
);

CREATE INDEX sign_in_places_seen_at_idx ON sign_in_places (seen_at);
