-- How people are reached, and what they prove by it: messages on their way, one-time codes, forgotten passwords.

-- Messages to people, each until it is sent or given up.
CREATE TABLE notices (
    id              uuid        CONSTRAINT notices_pkey PRIMARY KEY,
    channel         text        NOT NULL,
    kind            text        NOT NULL,
    -- Recipient, subject and text, encrypted. Erased as soon as the message has ended.
    content         bytea,
    status          text        NOT NULL DEFAULT 'pending',
    correlation_id  text        NOT NULL,
    created_at      timestamptz NOT NULL,
    -- From then on it says nothing any more, and is not sent.
    expires_at      timestamptz NOT NULL,
    -- Pushed forward while a worker has it.
    next_attempt_at timestamptz NOT NULL,
    attempts        integer     NOT NULL DEFAULT 0,
    ended_at        timestamptz,
    CONSTRAINT notices_channel_known CHECK (channel IN ('email', 'sms')),
    CONSTRAINT notices_status_known CHECK (status IN ('pending', 'sent', 'failed', 'expired')),
    CONSTRAINT notices_content_until_the_end CHECK ((status = 'pending') = (content IS NOT NULL)),
    CONSTRAINT notices_end_has_a_time CHECK ((status = 'pending') = (ended_at IS NULL))
);

CREATE INDEX notices_due_idx ON notices (channel, next_attempt_at) WHERE status = 'pending';
CREATE INDEX notices_sent_idx ON notices (channel, ended_at) WHERE status = 'sent';
CREATE INDEX notices_ended_idx ON notices (ended_at) WHERE status <> 'pending';

-- One a person and purpose: a later one takes the place of the one before.
CREATE TABLE one_time_codes (
    user_id    uuid        NOT NULL CONSTRAINT one_time_codes_user_fkey REFERENCES users (id),
    purpose    text        NOT NULL,
    -- The address or number that it was sent to, encrypted.
    contact    bytea       NOT NULL,
    -- A keyed hash: of a million codes, a plain one would hide nothing.
    code_hash  bytea       NOT NULL,
    attempts   smallint    NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    CONSTRAINT one_time_codes_pkey PRIMARY KEY (user_id, purpose),
    CONSTRAINT one_time_codes_purpose_known
        CHECK (purpose IN ('verify_email', 'verify_phone', 'change_email', 'change_phone')),
    CONSTRAINT one_time_codes_hash_is_sha256 CHECK (octet_length(code_hash) = 32),
    CONSTRAINT one_time_codes_attempts_bounded CHECK (attempts BETWEEN 0 AND 5),
    CONSTRAINT one_time_codes_expire_later CHECK (expires_at > created_at)
);

CREATE INDEX one_time_codes_expires_at_idx ON one_time_codes (expires_at);

-- When something was done whose number in a time is bounded: a code sent to a contact, a password tried. The key is a keyed
-- hash of what and whose.
CREATE TABLE allowances (
    key      bytea         CONSTRAINT allowances_pkey PRIMARY KEY,
    taken_at timestamptz[] NOT NULL,
    last_at  timestamptz   NOT NULL,
    CONSTRAINT allowances_key_is_sha256 CHECK (octet_length(key) = 32),
    CONSTRAINT allowances_stay_small CHECK (cardinality(taken_at) <= 100)
);

CREATE INDEX allowances_last_at_idx ON allowances (last_at);

-- Who has said that they forgot their password: written whoever they are, and looked up by a worker, so that the answer does not
-- hang on whether there is such a person.
CREATE TABLE forgotten_passwords (
    id             uuid        CONSTRAINT forgotten_passwords_pkey PRIMARY KEY,
    -- As it was typed, encrypted.
    identifier     bytea       NOT NULL,
    correlation_id text        NOT NULL,
    created_at     timestamptz NOT NULL
);

-- Only hashes: what lies here sets no password.
CREATE TABLE password_resets (
    user_id    uuid        CONSTRAINT password_resets_pkey PRIMARY KEY
                           CONSTRAINT password_resets_user_fkey REFERENCES users (id),
    token_hash bytea       NOT NULL CONSTRAINT password_resets_token_key UNIQUE,
    -- Which contact of theirs it was sent to: who has the token reads what is sent there.
    sent_to    text        NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT password_resets_sent_to_known CHECK (sent_to IN ('email', 'phone')),
    CONSTRAINT password_resets_hash_is_sha256 CHECK (octet_length(token_hash) = 32),
    CONSTRAINT password_resets_expire_later CHECK (expires_at > created_at)
);

CREATE INDEX password_resets_expires_at_idx ON password_resets (expires_at);

-- More ways in which a session ends.
ALTER TABLE sessions DROP CONSTRAINT sessions_end_reason_known;
ALTER TABLE sessions ADD CONSTRAINT sessions_end_reason_known
    CHECK (end_reason IN ('logout', 'reuse', 'password_changed', 'deactivated')) NOT VALID;
