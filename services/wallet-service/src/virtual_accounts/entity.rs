//! An account number that is wanted, taken by this worker for the length of its lease.

use common_utils::ids::{UserId, WalletId};

#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) wallet_id: WalletId,
    pub(super) user_id: UserId,
    pub(super) provider: String,
    /// This one included.
    pub(super) attempts: i32,
    pub(super) correlation_id: String,
}
