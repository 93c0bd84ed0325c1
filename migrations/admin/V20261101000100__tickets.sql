-- Support tickets, and who may work on them.

CREATE TABLE tickets (
    id           uuid        NOT NULL CONSTRAINT tickets_pkey PRIMARY KEY,
    subject      text        NOT NULL,
    description  text        NOT NULL,
    status       text        NOT NULL,
    priority     text        NOT NULL,
    requester_id uuid        NOT NULL,
    assignee_id  uuid,
    related_type text,
    related_id   uuid,
    resolution   text,
    created_at   timestamptz NOT NULL,
    resolved_at  timestamptz,
    CONSTRAINT tickets_subject_length CHECK (length(subject) BETWEEN 1 AND 200),
    CONSTRAINT tickets_description_length CHECK (length(description) BETWEEN 1 AND 5000),
    CONSTRAINT tickets_resolution_length CHECK (length(resolution) BETWEEN 1 AND 5000),
    CONSTRAINT tickets_status_known CHECK (status IN ('open', 'in_progress', 'resolved', 'closed')),
    CONSTRAINT tickets_priority_known CHECK (priority IN ('low', 'normal', 'high', 'urgent')),
    CONSTRAINT tickets_related_whole CHECK ((related_type IS NULL) = (related_id IS NULL)),
    CONSTRAINT tickets_related_type_known CHECK (related_type IN ('transaction', 'wallet', 'user')),
    CONSTRAINT tickets_in_progress_assigned CHECK (status <> 'in_progress' OR assignee_id IS NOT NULL),
    CONSTRAINT tickets_resolved_whole CHECK (
        (status IN ('resolved', 'closed')) = (resolved_at IS NOT NULL AND resolution IS NOT NULL))
);

-- Lists are newest first, and ids are in the order of time. The whole list runs along the primary key.
CREATE INDEX tickets_status_idx ON tickets (status, id DESC);
CREATE INDEX tickets_assignee_idx ON tickets (assignee_id, id DESC) WHERE assignee_id IS NOT NULL;
CREATE INDEX tickets_requester_idx ON tickets (requester_id, id DESC);
-- What is to be closed next.
CREATE INDEX tickets_resolved_idx ON tickets (resolved_at) WHERE status = 'resolved';

CREATE TABLE ticket_comments (
    id          uuid        NOT NULL CONSTRAINT ticket_comments_pkey PRIMARY KEY,
    ticket_id   uuid        NOT NULL CONSTRAINT ticket_comments_ticket_fkey REFERENCES tickets (id),
    author_id   uuid        NOT NULL,
    author_type text        NOT NULL,
    body        text        NOT NULL,
    internal    boolean     NOT NULL,
    created_at  timestamptz NOT NULL,
    CONSTRAINT ticket_comments_body_length CHECK (length(body) BETWEEN 1 AND 5000),
    CONSTRAINT ticket_comments_author_type_known CHECK (author_type IN ('customer', 'staff')),
    CONSTRAINT ticket_comments_internal_by_staff CHECK (author_type = 'staff' OR NOT internal)
);

CREATE INDEX ticket_comments_ticket_idx ON ticket_comments (ticket_id, id DESC);

-- Who has or had a staff role, as the user events tell. Customers are not in it.
CREATE TABLE staff (
    user_id uuid        NOT NULL CONSTRAINT staff_pkey PRIMARY KEY,
    roles   text[]      NOT NULL,
    active  boolean     NOT NULL,
    -- The time of the event that this row was last taken from: an older one changes nothing.
    as_of   timestamptz NOT NULL
);
