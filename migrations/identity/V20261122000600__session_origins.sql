-- Where a session was opened and with what, so that its owner knows it again in the list.
ALTER TABLE sessions
    ADD COLUMN device  text,
    ADD COLUMN address text,
    ADD CONSTRAINT sessions_device_length CHECK (length(device) BETWEEN 1 AND 200) NOT VALID,
    ADD CONSTRAINT sessions_address_length CHECK (length(address) BETWEEN 2 AND 45) NOT VALID;

-- Why sessions end grows with what can end them; the words are those of the code.
ALTER TABLE sessions DROP CONSTRAINT sessions_end_reason_known;
ALTER TABLE sessions ADD CONSTRAINT sessions_end_reason_known CHECK (end_reason ~ '^[a-z][a-z_]{1,39}$') NOT VALID;

-- The list of somebody's sessions that go on, newest first.
CREATE INDEX sessions_open_idx ON sessions (user_id, id DESC) WHERE ended_at IS NULL;
