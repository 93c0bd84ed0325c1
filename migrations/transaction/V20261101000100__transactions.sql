-- Movements of money as their parties see them. The ledger knows each by the same id; what is final here stays so.

CREATE TABLE transactions (
    id              uuid        NOT NULL CONSTRAINT transactions_pkey PRIMARY KEY,
    type            text        NOT NULL,
    status          text        NOT NULL,
    amount          bigint      NOT NULL,
    fee             bigint      NOT NULL DEFAULT 0,
    currency        char(3)     NOT NULL,
    from_wallet_id  uuid,
    to_wallet_id    uuid,
    from_user_id    uuid,
    to_user_id      uuid,
    -- How each side is shown to the other: "Ada O.", or the name that a bank gave.
    from_name       text,
    to_name         text,
    narration       text,
    -- Ours is the id in other letters, so it needs no index; that of a deposit is the bank's own.
    reference       text        NOT NULL,
    failure_code    text,
    failure_message text,
    -- Whose call it came from; events that recovery writes later carry it too.
    correlation_id  text        NOT NULL,
    -- Until when the request that wrote the row has it to itself; then recovery, or a retry, may take it.
    leased_until    timestamptz,
    created_at      timestamptz NOT NULL,
    -- When the ledger moved the money.
    completed_at    timestamptz,
    CONSTRAINT transactions_type_known CHECK (type IN ('transfer', 'deposit')),
    CONSTRAINT transactions_status_known CHECK (status IN ('initiated', 'completed', 'failed')),
    CONSTRAINT transactions_amount_positive CHECK (amount > 0),
    CONSTRAINT transactions_fee_not_negative CHECK (fee >= 0),
    CONSTRAINT transactions_wallets_differ CHECK (from_wallet_id <> to_wallet_id),
    CONSTRAINT transactions_wallets_of_type CHECK (
        to_wallet_id IS NOT NULL AND (type = 'transfer') = (from_wallet_id IS NOT NULL)),
    CONSTRAINT transactions_wallets_have_owners CHECK (
        (from_wallet_id IS NULL) = (from_user_id IS NULL) AND (to_wallet_id IS NULL) = (to_user_id IS NULL)),
    CONSTRAINT transactions_deposit_completed CHECK (type <> 'deposit' OR status = 'completed'),
    CONSTRAINT transactions_leased_while_initiated CHECK ((status = 'initiated') = (leased_until IS NOT NULL)),
    CONSTRAINT transactions_completed_when CHECK ((status = 'completed') = (completed_at IS NOT NULL)),
    CONSTRAINT transactions_failed_why CHECK (
        (status = 'failed') = (failure_code IS NOT NULL) AND (status = 'failed') = (failure_message IS NOT NULL)),
    CONSTRAINT transactions_narration_length CHECK (length(narration) BETWEEN 1 AND 100)
);

-- A page of a wallet's list is one scan of each. Who receives money does not see what failed, so that is not in the way.
CREATE INDEX transactions_from_wallet_idx ON transactions (from_wallet_id, created_at DESC, id DESC);
CREATE INDEX transactions_to_wallet_idx ON transactions (to_wallet_id, created_at DESC, id DESC)
    WHERE status NOT IN ('initiated', 'failed');
-- What recovery looks at: small whatever the table's size.
CREATE INDEX transactions_initiated_idx ON transactions (leased_until) WHERE status = 'initiated';

-- Each transaction once for each wallet that takes part. A recipient learns of a transfer when the money is there: that
-- the sender tried and lacked the funds is the sender's own business.
CREATE VIEW wallet_transactions AS
    SELECT from_wallet_id AS wallet_id, false AS incoming, true AS visible, t.* FROM transactions t
    UNION ALL
    SELECT to_wallet_id, true, t.status NOT IN ('initiated', 'failed'), t.* FROM transactions t;

-- An outcome is for ever, and so is what was asked for.
CREATE FUNCTION transaction_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'transactions are kept as they are: % is refused', TG_OP
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'transactions_kept';
END $$;

CREATE TRIGGER transactions_final BEFORE UPDATE ON transactions
    FOR EACH ROW WHEN (
        OLD.status <> 'initiated'
        OR (OLD.id, OLD.type, OLD.amount, OLD.fee, OLD.currency, OLD.from_wallet_id, OLD.to_wallet_id, OLD.from_user_id,
            OLD.to_user_id, OLD.from_name, OLD.to_name, OLD.narration, OLD.reference, OLD.correlation_id, OLD.created_at)
        IS DISTINCT FROM
           (NEW.id, NEW.type, NEW.amount, NEW.fee, NEW.currency, NEW.from_wallet_id, NEW.to_wallet_id, NEW.from_user_id,
            NEW.to_user_id, NEW.from_name, NEW.to_name, NEW.narration, NEW.reference, NEW.correlation_id, NEW.created_at))
    EXECUTE FUNCTION transaction_kept();
CREATE TRIGGER transactions_kept BEFORE DELETE OR TRUNCATE ON transactions
    FOR EACH STATEMENT EXECUTE FUNCTION transaction_kept();
