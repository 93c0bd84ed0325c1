-- Every entry has its posting and its account, still; checked once a statement instead of once a row. A foreign key also writes
-- a lock into each parent row; neither parent is ever deleted or renamed, so there is nothing to lock it against.

CREATE TRIGGER accounts_kept BEFORE DELETE OR TRUNCATE ON accounts
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only();

CREATE FUNCTION account_id_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the id of account % stays', OLD.id USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER accounts_id_kept BEFORE UPDATE OF id ON accounts
    FOR EACH ROW WHEN (OLD.id <> NEW.id) EXECUTE FUNCTION account_id_kept();

-- The new rows have no statistics, so the planner is told to look parents up by their index.
CREATE FUNCTION entries_have_parents() RETURNS trigger LANGUAGE plpgsql
    SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off AS $$
BEGIN
    IF EXISTS (SELECT FROM written w WHERE NOT EXISTS (SELECT FROM postings p WHERE p.id = w.posting_id)) THEN
        RAISE EXCEPTION 'an entry without its posting'
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'entries_posting_fkey', TABLE = 'entries';
    END IF;
    IF EXISTS (SELECT FROM written w WHERE NOT EXISTS (SELECT FROM accounts a WHERE a.id = w.account_id)) THEN
        RAISE EXCEPTION 'an entry without its account'
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'entries_account_fkey', TABLE = 'entries';
    END IF;
    RETURN NULL;
END $$;

ALTER TABLE entries DROP CONSTRAINT entries_posting_fkey, DROP CONSTRAINT entries_account_fkey;
CREATE TRIGGER entries_parents AFTER INSERT ON entries REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION entries_have_parents();
