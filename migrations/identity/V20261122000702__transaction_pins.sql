-- Transaction PINs: argon2id, like passwords.
CREATE TABLE transaction_pins (
    user_id   uuid        CONSTRAINT transaction_pins_pkey PRIMARY KEY
                          CONSTRAINT transaction_pins_user_fkey REFERENCES users (id),
    hash      text        NOT NULL,
    set_at    timestamptz NOT NULL,
    -- Wrong ones in a row. The fifth locks it until another one is set.
    failures  smallint    NOT NULL DEFAULT 0,
    locked_at timestamptz,
    CONSTRAINT transaction_pins_failures_bounded CHECK (failures BETWEEN 0 AND 5),
    CONSTRAINT transaction_pins_locked_by_failures CHECK (locked_at IS NULL OR failures = 5)
);
