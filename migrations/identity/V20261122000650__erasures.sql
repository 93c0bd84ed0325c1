-- People who had themselves erased. What the law has to be kept of them until a day is encrypted under their own key, and
-- goes with it.

CREATE TABLE erasures (
    user_id        uuid        CONSTRAINT erasures_pkey PRIMARY KEY
                               CONSTRAINT erasures_user_fkey REFERENCES users (id),
    -- Who they were: names, address and number, encrypted. The rest of the evidence lies where it always did.
    profile        bytea,
    erased_at      timestamptz NOT NULL,
    evidence_until timestamptz NOT NULL,
    -- When the key, and with it all evidence, was deleted.
    forgotten_at   timestamptz,
    CONSTRAINT erasures_profile_until_forgotten CHECK ((profile IS NULL) = (forgotten_at IS NOT NULL)),
    CONSTRAINT erasures_evidence_is_kept_on CHECK (evidence_until >= erased_at)
);

CREATE INDEX erasures_due_idx ON erasures (evidence_until) WHERE forgotten_at IS NULL;

CREATE TRIGGER erasures_need_a_key
    BEFORE INSERT OR UPDATE OF profile ON erasures
    FOR EACH ROW WHEN (NEW.profile IS NOT NULL) EXECUTE FUNCTION require_person_key();
