-- Held against the rows of before, too, without keeping anybody from writing meanwhile.
ALTER TABLE transactions
    VALIDATE CONSTRAINT transactions_outflow_of_transfers,
    VALIDATE CONSTRAINT transactions_outflow_device_within_day,
    VALIDATE CONSTRAINT transactions_over_limit_known,
    VALIDATE CONSTRAINT transactions_over_limit_whole,
    VALIDATE CONSTRAINT transactions_over_limit_moves_nothing,
    VALIDATE CONSTRAINT transactions_over_limit_never_taken;
