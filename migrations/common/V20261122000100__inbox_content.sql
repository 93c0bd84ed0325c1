-- SHA-256 of an event's bytes: the same id with other content is told of instead of passing for a repetition.
-- Rows from before have none.
ALTER TABLE inbox ADD COLUMN content bytea;
