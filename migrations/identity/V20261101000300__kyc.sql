-- Verified bank verification numbers. Nothing here can be read or looked up without the deployment's key file.

CREATE TABLE bvn_verifications (
    user_id       uuid        CONSTRAINT bvn_verifications_pkey PRIMARY KEY
                              CONSTRAINT bvn_verifications_user_fkey REFERENCES users (id),
    -- A keyed hash of the number: one number, one person.
    bvn_lookup    bytea       NOT NULL CONSTRAINT bvn_verifications_bvn_key UNIQUE,
    -- AES-256-GCM-SIV, each with the id of its key.
    bvn           bytea       NOT NULL,
    date_of_birth bytea       NOT NULL,
    provider      text        NOT NULL,
    verified_at   timestamptz NOT NULL,
    CONSTRAINT bvn_verifications_lookup_is_sha256 CHECK (octet_length(bvn_lookup) = 32)
);
