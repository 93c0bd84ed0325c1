-- Of what fits only in part, which part it is that does not.

ALTER TABLE kyc_checks
    -- What the provider says is otherwise in the record; nothing where it does not say.
    ADD COLUMN mismatched text[] NOT NULL DEFAULT '{}',
    ADD CONSTRAINT kyc_checks_mismatched_known
        CHECK (mismatched <@ ARRAY['first_name', 'last_name', 'date_of_birth', 'address', 'other']);
