//! Forgets what nobody asks for any more: messages that ended, codes and tokens that expired, what was counted. In bounded
//! batches; several instances may.

use std::time::Duration;

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
        match shutdown.run_until_cancelled(round(&state)).await {
            None => return,
            Some(Ok(())) => {}
            Some(Err(error)) => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "what is old could not be forgotten; trying again later"
                );
            }
        }
    }
}

async fn round(state: &AppState) -> anyhow::Result<()> {
    state.contacts.notices.purge().await?;
    state.contacts.codes.purge().await?;
    state.contacts.allowances.purge().await?;
    state.passwords.purge().await?;
    state.auth.guard.purge().await?;
    Ok(())
}
