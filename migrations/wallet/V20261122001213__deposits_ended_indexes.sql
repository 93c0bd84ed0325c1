-- A file of its own: deposits cannot be written while the table is read for these.

-- One posting ends one deposit. The column is new, so nothing is in it yet.
CREATE UNIQUE INDEX IF NOT EXISTS deposits_ended_by_key ON deposits (ended_by) WHERE ended_by IS NOT NULL;

-- What waits. Where there are many deposits, it is built by hand before, CONCURRENTLY.
CREATE INDEX IF NOT EXISTS deposits_suspended_idx ON deposits (id) WHERE status = 'suspended';
