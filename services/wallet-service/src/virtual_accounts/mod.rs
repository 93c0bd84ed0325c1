//! Virtual accounts: numbers at a bank that lead to a wallet. Asked for in the transaction that knows of the need,
//! issued by a worker when the provider has answered.
