-- A deposit that waited on the suspense account leaves it once, by a posting of its own: released into its wallet, or returned to the
-- bank that it came from. Why it waited stays with it.

ALTER TABLE deposits
    -- The posting, and when.
    ADD COLUMN ended_by uuid,
    ADD COLUMN ended_at timestamptz,
    -- Under which the bank sends it back.
    ADD COLUMN bank_reference text,
    DROP CONSTRAINT deposits_status_known,
    ADD CONSTRAINT deposits_status_known CHECK (
        status IN ('credited', 'suspended', 'released', 'returned')) NOT VALID,
    DROP CONSTRAINT deposits_suspended_why,
    ADD CONSTRAINT deposits_suspended_why CHECK ((status = 'credited') = (refusal IS NULL)) NOT VALID,
    ADD CONSTRAINT deposits_ended_whole CHECK (
        (status IN ('released', 'returned')) = (ended_by IS NOT NULL)
        AND (status IN ('released', 'returned')) = (ended_at IS NOT NULL)) NOT VALID,
    ADD CONSTRAINT deposits_returned_as CHECK ((status = 'returned') = (bank_reference IS NOT NULL)) NOT VALID;
