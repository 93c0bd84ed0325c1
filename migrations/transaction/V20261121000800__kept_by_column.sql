-- What was asked for is kept by naming its columns instead of comparing them: Postgres reads a trigger's condition anew for
-- each statement, and one over thirty values took as long as the update of a transfer.
DROP TRIGGER transactions_final ON transactions;
CREATE TRIGGER transactions_final BEFORE UPDATE ON transactions
    FOR EACH ROW WHEN (OLD.status <> 'initiated') EXECUTE FUNCTION transaction_kept();
CREATE TRIGGER transactions_asked BEFORE UPDATE OF
        id, type, amount, fee, currency, from_wallet_id, to_wallet_id, from_user_id, to_user_id, from_name, to_name,
        narration, reference, correlation_id, created_at
    ON transactions FOR EACH ROW EXECUTE FUNCTION transaction_kept();
