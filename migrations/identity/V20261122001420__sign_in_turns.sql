-- A place from which an account was tried while strangers tried it, too: from then on it may be tried from there once, however long
-- they have to wait. Places (sign_in_places) are keyed by the account from now on, and no longer by the address or number that was
-- typed; those of before go by themselves.
ALTER TABLE sign_in_failures ADD COLUMN turn_at timestamptz;
