-- Verifying people, from an application to the tier that it gives: cases, documents, findings, decisions, who looked, and until
-- when a tier holds. What names a person is encrypted under that person's own key.

CREATE TABLE kyc_cases (
    id            uuid        CONSTRAINT kyc_cases_pkey PRIMARY KEY,
    user_id       uuid        NOT NULL CONSTRAINT kyc_cases_user_fkey REFERENCES users (id),
    country       text        NOT NULL,
    tier          smallint    NOT NULL,
    status        text        NOT NULL,
    -- Why it stands as it does.
    reason        text        NOT NULL,
    -- What the person is asked for, while they are.
    asked_for     text[]      NOT NULL DEFAULT '{}',
    -- Numbers, date of birth and address as they were told, encrypted.
    claims        bytea       NOT NULL,
    -- Counts up each time that the case comes to the reviewers: an approval of before counts no more.
    review_round  integer     NOT NULL DEFAULT 0,
    opened_at     timestamptz NOT NULL,
    -- Since when it has this status.
    changed_at    timestamptz NOT NULL,
    -- A person who was asked for more has until then.
    answer_by     timestamptz,
    -- When it is looked at by the rules; pushed forward while a worker has it.
    next_check_at timestamptz,
    attempts      integer     NOT NULL DEFAULT 0,
    CONSTRAINT kyc_cases_country_is_iso CHECK (country ~ '^[A-Z]{2}$'),
    CONSTRAINT kyc_cases_tier_known CHECK (tier BETWEEN 1 AND 3),
    CONSTRAINT kyc_cases_status_known
        CHECK (status IN ('submitted', 'in_review', 'more_needed', 'approved', 'rejected', 'expired')),
    CONSTRAINT kyc_cases_checked_while_submitted CHECK ((status = 'submitted') = (next_check_at IS NOT NULL)),
    CONSTRAINT kyc_cases_answered_while_asked CHECK ((status = 'more_needed') = (answer_by IS NOT NULL))
);

CREATE UNIQUE INDEX kyc_cases_one_open_key ON kyc_cases (user_id, tier)
    WHERE status IN ('submitted', 'in_review', 'more_needed');
CREATE INDEX kyc_cases_user_idx ON kyc_cases (user_id, id DESC);
CREATE INDEX kyc_cases_due_idx ON kyc_cases (next_check_at) WHERE status = 'submitted';
CREATE INDEX kyc_cases_queue_idx ON kyc_cases (id) WHERE status = 'in_review';
CREATE INDEX kyc_cases_answer_by_idx ON kyc_cases (answer_by) WHERE status = 'more_needed';

-- What a person sends. The newest of a kind counts.
CREATE TABLE kyc_documents (
    id           uuid        CONSTRAINT kyc_documents_pkey PRIMARY KEY,
    case_id      uuid        NOT NULL CONSTRAINT kyc_documents_case_fkey REFERENCES kyc_cases (id),
    user_id      uuid        NOT NULL CONSTRAINT kyc_documents_user_fkey REFERENCES users (id),
    kind         text        NOT NULL,
    content_type text        NOT NULL,
    size         integer     NOT NULL,
    -- A keyed hash of the content: the same file twice is one document.
    digest       bytea       NOT NULL,
    -- Encrypted.
    content      bytea       NOT NULL,
    uploaded_at  timestamptz NOT NULL,
    CONSTRAINT kyc_documents_kind_known CHECK (kind IN ('address_document', 'selfie')),
    CONSTRAINT kyc_documents_content_type_known
        CHECK (content_type IN ('image/jpeg', 'image/png', 'application/pdf')),
    CONSTRAINT kyc_documents_size_bounded CHECK (size BETWEEN 1 AND 10485760),
    CONSTRAINT kyc_documents_digest_is_sha256 CHECK (octet_length(digest) = 32),
    CONSTRAINT kyc_documents_once_key UNIQUE (case_id, kind, digest)
);
-- What is encrypted does not get smaller.
ALTER TABLE kyc_documents ALTER COLUMN content SET STORAGE EXTERNAL;

-- What the provider found of a piece of evidence.
CREATE TABLE kyc_checks (
    case_id     uuid        NOT NULL CONSTRAINT kyc_checks_case_fkey REFERENCES kyc_cases (id),
    kind        text        NOT NULL,
    -- The document, or the case itself for what was told when it was opened.
    evidence_id uuid        NOT NULL,
    finding     text        NOT NULL,
    -- How alike the names are, of 100; none where the provider told no name.
    name_score  smallint,
    provider    text        NOT NULL,
    checked_at  timestamptz NOT NULL,
    CONSTRAINT kyc_checks_pkey PRIMARY KEY (case_id, kind, evidence_id),
    CONSTRAINT kyc_checks_finding_known CHECK (finding IN ('match', 'partial', 'mismatch', 'not_found')),
    CONSTRAINT kyc_checks_name_score_range CHECK (name_score BETWEEN 0 AND 100)
);

-- Everything that was decided of a case: who, when, why. Nothing here is ever changed.
CREATE TABLE kyc_decisions (
    id           uuid        CONSTRAINT kyc_decisions_pkey PRIMARY KEY,
    case_id      uuid        NOT NULL CONSTRAINT kyc_decisions_case_fkey REFERENCES kyc_cases (id),
    -- Whose case it is.
    user_id      uuid        NOT NULL CONSTRAINT kyc_decisions_user_fkey REFERENCES users (id),
    review_round integer     NOT NULL,
    action       text        NOT NULL,
    from_status  text,
    to_status    text        NOT NULL,
    -- `user`, `staff` or `service`, and which.
    actor_type   text        NOT NULL,
    actor_id     text        NOT NULL,
    reason       text        NOT NULL,
    -- The lowest score of the names that was looked at.
    name_score   smallint,
    -- What a reviewer wrote beside it, encrypted.
    note         bytea,
    decided_at   timestamptz NOT NULL,
    CONSTRAINT kyc_decisions_action_known
        CHECK (action IN ('open', 'resubmit', 'refer', 'ask', 'approve', 'reject', 'expire'))
);

CREATE INDEX kyc_decisions_case_idx ON kyc_decisions (case_id, id);
-- Four eyes are those of two people.
CREATE UNIQUE INDEX kyc_decisions_one_approval_a_reviewer_key ON kyc_decisions (case_id, review_round, actor_id)
    WHERE action = 'approve' AND actor_type = 'staff';

CREATE FUNCTION refuse_kyc_decision_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'decisions are never changed';
END $$;

CREATE TRIGGER kyc_decisions_stay BEFORE UPDATE OR DELETE ON kyc_decisions
    FOR EACH ROW EXECUTE FUNCTION refuse_kyc_decision_change();

-- Who looked at whose evidence.
CREATE TABLE kyc_accesses (
    id          uuid        CONSTRAINT kyc_accesses_pkey PRIMARY KEY,
    case_id     uuid        NOT NULL CONSTRAINT kyc_accesses_case_fkey REFERENCES kyc_cases (id),
    -- None for what was told, without the documents.
    document_id uuid        CONSTRAINT kyc_accesses_document_fkey REFERENCES kyc_documents (id),
    viewer_id   uuid        NOT NULL,
    accessed_at timestamptz NOT NULL
);

CREATE INDEX kyc_accesses_case_idx ON kyc_accesses (case_id, id);

-- Verified national identification numbers, as bank verification numbers are kept.
CREATE TABLE nin_verifications (
    user_id     uuid        CONSTRAINT nin_verifications_pkey PRIMARY KEY
                            CONSTRAINT nin_verifications_user_fkey REFERENCES users (id),
    -- A keyed hash of the number: one number, one person.
    nin_lookup  bytea       NOT NULL CONSTRAINT nin_verifications_nin_key UNIQUE,
    nin         bytea       NOT NULL,
    provider    text        NOT NULL,
    verified_at timestamptz NOT NULL,
    CONSTRAINT nin_verifications_lookup_is_sha256 CHECK (octet_length(nin_lookup) = 32)
);

-- Until when a tier holds. A tier that never has to be verified again has no dates.
CREATE TABLE kyc_validity (
    user_id     uuid        NOT NULL CONSTRAINT kyc_validity_user_fkey REFERENCES users (id),
    tier        smallint    NOT NULL,
    case_id     uuid        NOT NULL CONSTRAINT kyc_validity_case_fkey REFERENCES kyc_cases (id),
    verified_at timestamptz NOT NULL,
    remind_at   timestamptz,
    valid_until timestamptz,
    -- After the time of grace: then the tier is lost.
    lapses_at   timestamptz,
    reminded_at timestamptz,
    CONSTRAINT kyc_validity_pkey PRIMARY KEY (user_id, tier),
    CONSTRAINT kyc_validity_tier_known CHECK (tier BETWEEN 1 AND 3),
    CONSTRAINT kyc_validity_in_order CHECK (remind_at <= valid_until AND valid_until <= lapses_at),
    CONSTRAINT kyc_validity_all_dates_or_none
        CHECK ((remind_at IS NULL) = (valid_until IS NULL) AND (valid_until IS NULL) = (lapses_at IS NULL))
);

CREATE INDEX kyc_validity_remind_idx ON kyc_validity (remind_at) WHERE reminded_at IS NULL;
CREATE INDEX kyc_validity_lapse_idx ON kyc_validity (lapses_at);

-- Nothing is written under a key that is being erased.
CREATE TRIGGER kyc_cases_need_a_key BEFORE INSERT OR UPDATE OF claims ON kyc_cases
    FOR EACH ROW EXECUTE FUNCTION require_person_key();
CREATE TRIGGER kyc_documents_need_a_key BEFORE INSERT OR UPDATE OF content ON kyc_documents
    FOR EACH ROW EXECUTE FUNCTION require_person_key();
CREATE TRIGGER kyc_decisions_need_a_key BEFORE INSERT ON kyc_decisions
    FOR EACH ROW WHEN (NEW.note IS NOT NULL) EXECUTE FUNCTION require_person_key();
CREATE TRIGGER nin_verifications_need_a_key BEFORE INSERT OR UPDATE OF nin ON nin_verifications
    FOR EACH ROW EXECUTE FUNCTION require_person_key();
