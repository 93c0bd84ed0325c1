-- Webhooks for integrators: where events are sent, what is sent, and what came back.

CREATE TABLE webhook_endpoints (
    id              uuid        NOT NULL CONSTRAINT webhook_endpoints_pkey PRIMARY KEY,
    url             text        NOT NULL,
    description     text        NOT NULL,
    -- What is to be sent while it is enabled: types, and beginnings of types such as `wallet.*`.
    event_types     text[]      NOT NULL,
    status          text        NOT NULL,
    created_at      timestamptz NOT NULL,
    created_by      uuid        NOT NULL,
    -- Why it was disabled, since when, and by whom: a member of staff, or the service itself where nobody is named.
    disabled_reason text,
    disabled_at     timestamptz,
    disabled_by     uuid,
    -- No attempt has succeeded since, and at least one has failed.
    failing_since   timestamptz,
    -- Counts its addresses and the times that it was enabled: what was sent to an earlier one says nothing about it.
    generation      integer     NOT NULL,
    CONSTRAINT webhook_endpoints_status_known CHECK (status IN ('enabled', 'disabled', 'deleted')),
    CONSTRAINT webhook_endpoints_url_length CHECK (length(url) BETWEEN 1 AND 2000),
    CONSTRAINT webhook_endpoints_description_length CHECK (length(description) <= 200),
    CONSTRAINT webhook_endpoints_reason_length CHECK (length(disabled_reason) BETWEEN 1 AND 200),
    CONSTRAINT webhook_endpoints_event_types_some CHECK (cardinality(event_types) BETWEEN 1 AND 50),
    CONSTRAINT webhook_endpoints_disabled_whole CHECK (
        (status = 'enabled') = (disabled_at IS NULL) AND (disabled_at IS NULL) = (disabled_reason IS NULL))
);

-- From when until when an endpoint was to get events of a type. What it gets is decided by when an event happened, not by
-- when it was taken in, so that nothing is lost or sent too much when that takes a while.
CREATE TABLE webhook_subscriptions (
    endpoint_id uuid        NOT NULL CONSTRAINT webhook_subscriptions_endpoint_fkey
                            REFERENCES webhook_endpoints (id) ON DELETE CASCADE,
    event_type  text        NOT NULL,
    since       timestamptz NOT NULL,
    until       timestamptz,
    CONSTRAINT webhook_subscriptions_pkey PRIMARY KEY (endpoint_id, event_type, since),
    CONSTRAINT webhook_subscriptions_forward CHECK (until >= since)
);

-- Encrypted. The current one has no end; those before it sign beside it until theirs.
CREATE TABLE webhook_secrets (
    id          uuid        NOT NULL CONSTRAINT webhook_secrets_pkey PRIMARY KEY,
    endpoint_id uuid        NOT NULL CONSTRAINT webhook_secrets_endpoint_fkey
                            REFERENCES webhook_endpoints (id) ON DELETE CASCADE,
    sealed      bytea       NOT NULL,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz
);
CREATE INDEX webhook_secrets_endpoint_idx ON webhook_secrets (endpoint_id, id DESC);
CREATE UNIQUE INDEX webhook_secrets_one_current ON webhook_secrets (endpoint_id) WHERE expires_at IS NULL;

-- What is sent: one row for each event that anybody gets, and for each test.
CREATE TABLE webhook_messages (
    -- That of the event.
    id          uuid        NOT NULL CONSTRAINT webhook_messages_pkey PRIMARY KEY,
    event_type  text        NOT NULL,
    occurred_at timestamptz NOT NULL,
    -- The body, as it is sent.
    payload     text        COMPRESSION lz4 NOT NULL,
    received_at timestamptz NOT NULL
);
-- The oldest are deleted first.
CREATE INDEX webhook_messages_received_idx ON webhook_messages (received_at);

-- One message on its way to one endpoint.
CREATE TABLE webhook_deliveries (
    id              uuid        NOT NULL CONSTRAINT webhook_deliveries_pkey PRIMARY KEY,
    endpoint_id     uuid        NOT NULL CONSTRAINT webhook_deliveries_endpoint_fkey REFERENCES webhook_endpoints (id),
    message_id      uuid        NOT NULL CONSTRAINT webhook_deliveries_message_fkey
                                REFERENCES webhook_messages (id) ON DELETE CASCADE,
    event_type      text        NOT NULL,
    status          text        NOT NULL,
    created_at      timestamptz NOT NULL,
    ended_at        timestamptz,
    -- All that were made, and how many failed since it was sent or resent: that decides when the next one is due.
    attempts        integer     NOT NULL DEFAULT 0,
    failures        integer     NOT NULL DEFAULT 0,
    -- While an attempt is under way, this is the end of its lease.
    next_attempt_at timestamptz,
    lease           uuid,
    CONSTRAINT webhook_deliveries_once_key UNIQUE (message_id, endpoint_id),
    CONSTRAINT webhook_deliveries_status_known CHECK (status IN ('pending', 'delivered', 'failed', 'cancelled')),
    CONSTRAINT webhook_deliveries_pending_whole CHECK (
        (status = 'pending') = (next_attempt_at IS NOT NULL) AND (status = 'pending') = (ended_at IS NULL)),
    CONSTRAINT webhook_deliveries_counted CHECK (attempts >= 0 AND failures >= 0)
);

-- Lists are newest first, and ids are in the order of arrival.
CREATE INDEX webhook_deliveries_endpoint_idx ON webhook_deliveries (endpoint_id, id DESC);
CREATE INDEX webhook_deliveries_status_idx ON webhook_deliveries (endpoint_id, status, id DESC);
CREATE INDEX webhook_deliveries_type_idx ON webhook_deliveries (endpoint_id, event_type, id DESC);
-- What is due at an endpoint.
CREATE INDEX webhook_deliveries_due_idx ON webhook_deliveries (endpoint_id, next_attempt_at) WHERE status = 'pending';

-- What did not arrive, for those who order it again.
CREATE INDEX webhook_deliveries_undelivered_idx ON webhook_deliveries (endpoint_id, created_at)
    WHERE status IN ('failed', 'cancelled');

-- The log: what was tried, and what came back.
CREATE TABLE webhook_attempts (
    delivery_id  uuid        NOT NULL CONSTRAINT webhook_attempts_delivery_fkey
                             REFERENCES webhook_deliveries (id) ON DELETE CASCADE,
    number       integer     NOT NULL,
    attempted_at timestamptz NOT NULL,
    duration_ms  integer     NOT NULL,
    status_code  integer,
    -- Why it failed; none when it did not.
    error        text,
    -- The beginning of what was answered.
    answer       text,
    CONSTRAINT webhook_attempts_pkey PRIMARY KEY (delivery_id, number),
    CONSTRAINT webhook_attempts_answer_length CHECK (length(answer) <= 1024)
);
