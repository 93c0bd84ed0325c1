-- At how many accounts a source has failed, and since when: many accounts in one run are credential stuffing, many failures at one
-- are not. The release before writes neither.
ALTER TABLE sign_in_failures
    ADD COLUMN accounts integer NOT NULL DEFAULT 0
        CONSTRAINT sign_in_failures_accounts_count_up CHECK (accounts >= 0),
    ADD COLUMN began_at timestamptz;
