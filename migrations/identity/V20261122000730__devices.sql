-- Devices that are bound to an account: the public halves of keys that phones keep in their secure element.

CREATE TABLE devices (
    id           uuid        CONSTRAINT devices_pkey PRIMARY KEY,
    user_id      uuid        NOT NULL CONSTRAINT devices_user_fkey REFERENCES users (id),
    -- SubjectPublicKeyInfo. A key opens one account.
    public_key   bytea       NOT NULL CONSTRAINT devices_public_key_key UNIQUE,
    name         text        NOT NULL,
    platform     text        NOT NULL,
    -- From when on it is trusted; how much it may move at first hangs on that.
    activated_at timestamptz NOT NULL,
    last_used_at timestamptz,
    CONSTRAINT devices_public_key_length CHECK (octet_length(public_key) BETWEEN 32 AND 200),
    CONSTRAINT devices_name_length CHECK (length(name) BETWEEN 1 AND 100),
    CONSTRAINT devices_platform_known CHECK (platform IN ('android', 'ios', 'other'))
);

CREATE INDEX devices_user_idx ON devices (user_id, id DESC);

-- What a device is asked to sign: each for one purpose, and taken out by its first use. Whoever asks for one in the name of a device
-- that does not exist gets one, too, so there is no reference to it here.
CREATE TABLE device_challenges (
    id         uuid        CONSTRAINT device_challenges_pkey PRIMARY KEY,
    purpose    text        NOT NULL,
    device_id  uuid        NOT NULL,
    -- Whose session it belongs to, where somebody is signed in.
    user_id    uuid        CONSTRAINT device_challenges_user_fkey REFERENCES users (id),
    session_id uuid,
    nonce      bytea       NOT NULL,
    -- What is bound when the device has proved that it has the key.
    enrolment  jsonb,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT device_challenges_purpose_known CHECK (purpose IN ('bind', 'unlock', 'step_up')),
    CONSTRAINT device_challenges_bound
        CHECK ((purpose = 'unlock') = (user_id IS NULL) AND (user_id IS NULL) = (session_id IS NULL)),
    CONSTRAINT device_challenges_enrolment_when_bound CHECK ((purpose = 'bind') = (enrolment IS NOT NULL)),
    CONSTRAINT device_challenges_nonce_length CHECK (octet_length(nonce) = 32),
    CONSTRAINT device_challenges_expire_later CHECK (expires_at > created_at)
);

CREATE INDEX device_challenges_expires_at_idx ON device_challenges (expires_at);

-- Which device a session was opened on, and since when that one is trusted: revoking it ends the session.
ALTER TABLE sessions
    ADD COLUMN bound_device    uuid,
    ADD COLUMN bound_device_at timestamptz,
    ADD CONSTRAINT sessions_bound_device_whole
        CHECK ((bound_device IS NULL) = (bound_device_at IS NULL)) NOT VALID;

CREATE INDEX sessions_bound_device_idx ON sessions (bound_device) WHERE bound_device IS NOT NULL AND ended_at IS NULL;
