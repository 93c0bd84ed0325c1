//! What staff may do to a customer's wallet. wallet-service does it and publishes it with the name of who asked, which
//! is how it gets into the audit log.

pub(crate) mod routes;

use common_utils::{
    http::Problem,
    ids::{UserId, WalletId},
};

use crate::{
    app::AppState,
    services::{FreezeCall, FreezeError, WalletStatus},
};

impl From<FreezeError> for Problem {
    fn from(error: FreezeError) -> Self {
        match error {
            FreezeError::NotFound => Self::not_found("wallet"),
            FreezeError::Closed => {
                Self::unprocessable("wallet_closed", "The wallet is closed; it cannot be frozen or unfrozen.")
            }
            FreezeError::OwnWallet => Self::forbidden("Nobody decides about themselves."),
            FreezeError::Unavailable(error) => error.into(),
        }
    }
}

/// Doing it again is safe: a wallet that is frozen stays frozen.
async fn change_freeze(
    state: &AppState,
    call: FreezeCall,
    wallet: WalletId,
    reason: &str,
    by: UserId,
) -> Result<WalletStatus, FreezeError> {
    let result = state.services.change_freeze(call, wallet, reason, by).await;
    let outcome = result.as_ref().map_or_else(ToString::to_string, |wallet| wallet.status.clone());
    tracing::warn!(security = true, staff = %by, %wallet, ?call, outcome, "staff acted on a wallet");
    result
}
