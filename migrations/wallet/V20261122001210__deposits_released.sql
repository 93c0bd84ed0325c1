-- A deposit that waited on the suspense account may be released into its wallet, once, by a posting of its own. Why it waited
-- stays with it.

ALTER TABLE deposits
    ADD COLUMN released_by uuid
        CONSTRAINT deposits_released_by_fkey REFERENCES postings (id)
        CONSTRAINT deposits_released_by_key UNIQUE,
    ADD COLUMN released_at timestamptz,
    DROP CONSTRAINT deposits_status_known,
    ADD CONSTRAINT deposits_status_known CHECK (status IN ('credited', 'suspended', 'released')),
    DROP CONSTRAINT deposits_suspended_why,
    ADD CONSTRAINT deposits_suspended_why CHECK ((status = 'credited') = (refusal IS NULL)),
    ADD CONSTRAINT deposits_released_whole CHECK (
        (status = 'released') = (released_by IS NOT NULL) AND (status = 'released') = (released_at IS NOT NULL));

CREATE INDEX deposits_suspended_idx ON deposits (id) WHERE status = 'suspended';
