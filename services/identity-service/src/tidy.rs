//! Forgets what nobody asks for any more: messages that ended, codes and tokens that expired, what was counted. In bounded
//! batches; several instances may.

use std::{fmt::Display, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::app::AppState;

const EVERY: Duration = Duration::from_mins(10);

/// Runs until `shutdown`.
pub(crate) async fn keep_tidy(state: AppState, shutdown: CancellationToken) {
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = tick.tick() => {}
        }
        if shutdown.run_until_cancelled(round(&state)).await.is_none() {
            return;
        }
    }
}

/// One that fails holds up no other.
async fn round(state: &AppState) {
    state.vault.forget_old();
    told("messages", state.contacts.notices.purge().await);
    told("codes", state.contacts.codes.purge().await);
    told("allowances", state.contacts.allowances.purge().await);
    told("tokens to reset passwords", state.passwords.purge().await);
    told("API keys", state.api_keys.purge().await);
    told("sign-ins that were not gone on with", state.factors.purge().await);
    told("ceremonies of passkeys", state.passkeys.purge().await);
    told("challenges of devices", state.devices.purge().await);
    told("failed logins", state.auth.guard.purge().await);
}

fn told(what: &str, purged: Result<(), impl Display>) {
    if let Err(error) = purged {
        tracing::warn!(what, %error, "what is old could not be forgotten; trying again later");
    }
}
