//! Wallets: who has which, and whether it may be used. Each stands on a ledger account with the same id.
