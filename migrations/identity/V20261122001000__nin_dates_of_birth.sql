-- The date of birth that a national identification number is registered with, encrypted: a bank verification number of somebody
-- born on another day is another person's. Numbers that were verified before have none.
ALTER TABLE nin_verifications ADD COLUMN date_of_birth bytea;
