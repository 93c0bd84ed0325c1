-- Held against the rows of before, too, without keeping anybody from writing meanwhile.
ALTER TABLE deposits
    VALIDATE CONSTRAINT deposits_status_known,
    VALIDATE CONSTRAINT deposits_suspended_why,
    VALIDATE CONSTRAINT deposits_ended_whole,
    VALIDATE CONSTRAINT deposits_returned_as,
    VALIDATE CONSTRAINT deposits_ended_by_fkey;
