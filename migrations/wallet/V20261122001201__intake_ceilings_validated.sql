-- Held against the rows of before, too, without keeping anybody from writing meanwhile.
ALTER TABLE balances VALIDATE CONSTRAINT balances_intake_ceiling_not_negative;
