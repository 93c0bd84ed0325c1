-- Each person's own key, under which what is kept of them in secret is encrypted; itself encrypted ("wrapped") under a master key.

-- The master keys that something depends on. They themselves are elsewhere: in files, or in a key management service.
CREATE TABLE master_keys (
    id            text        CONSTRAINT master_keys_pkey PRIMARY KEY,
    use           text        NOT NULL,
    first_used_at timestamptz NOT NULL,
    -- From then on nothing is wrapped under it.
    retired_at    timestamptz,
    CONSTRAINT master_keys_use_known CHECK (use IN ('wrap', 'lookup'))
);

-- Hashes by two keys could not be compared.
CREATE UNIQUE INDEX master_keys_one_lookup_key ON master_keys (use) WHERE use = 'lookup';

-- Without it nothing that is encrypted of the person can be read, wherever there are copies: that is how it is erased. The row
-- stays, so that nobody makes another.
CREATE TABLE person_keys (
    user_id    uuid        CONSTRAINT person_keys_pkey PRIMARY KEY
                           CONSTRAINT person_keys_user_fkey REFERENCES users (id),
    wrapped    bytea,
    key_id     text        CONSTRAINT person_keys_master_key_fkey REFERENCES master_keys (id),
    created_at timestamptz NOT NULL,
    erased_at  timestamptz,
    CONSTRAINT person_keys_wrapped_until_erased
        CHECK ((wrapped IS NULL) = (erased_at IS NOT NULL) AND (key_id IS NULL) = (wrapped IS NULL))
);

-- What is wrapped under a master key, in batches.
CREATE INDEX person_keys_key_id_idx ON person_keys (key_id, user_id);

-- Before what is encrypted under a person's key is written. The lock makes who erases the key wait until this transaction has ended,
-- and this one wait for who is erasing it, and then find no key.
CREATE FUNCTION require_person_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM person_keys WHERE user_id = NEW.user_id AND erased_at IS NULL FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the person has no key, or none any more'
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'person_keys_live';
    END IF;
    RETURN NEW;
END
$$;

-- Numbers that were encrypted under the deployment's one key (first byte 1) stay readable until they are moved to their person's (2).
CREATE TRIGGER bvn_verifications_need_a_key
    BEFORE INSERT OR UPDATE OF bvn, date_of_birth ON bvn_verifications
    FOR EACH ROW WHEN (get_byte(NEW.bvn, 0) = 2 OR get_byte(NEW.date_of_birth, 0) = 2)
    EXECUTE FUNCTION require_person_key();

CREATE INDEX bvn_verifications_unmoved_idx ON bvn_verifications (user_id) WHERE get_byte(bvn, 0) = 1;
