-- A batch that was decided on remembered balances is written only if these are still what they were. The statement that writes
-- it counts the rows that it found unchanged, and this undoes all of it when some are missing.
CREATE FUNCTION balances_as_read(same bigint, wanted integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF same <> wanted THEN
        RAISE EXCEPTION '% of % balances are as they were read', same, wanted
            USING ERRCODE = 'serialization_failure', CONSTRAINT = 'balances_as_read', TABLE = 'balances';
    END IF;
END $$;
