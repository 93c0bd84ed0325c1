//! Work that waits in a table: rows that are due are taken by a lease, worked on without a database transaction, and
//! settled; what failed is due again later.
//!
//! A lease is `next_attempt_at` pushed forward: whoever dies holding one leaves a row that is due again when the
//! lease ends. So work may be done twice, and settling it twice must do no harm.

use std::{future::Future, time::Duration};

use chrono::TimeDelta;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// A round that runs when the process is asked to stop may end by itself for this long.
const LAST_ROUND: Duration = Duration::from_secs(8);

/// How long a failed piece of work rests: twice as long each time.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    pub first: Duration,
    pub longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_secs(1), longest: Duration::from_mins(5) }
    }
}

impl Backoff {
    /// The rest after the `attempts`-th attempt.
    pub fn after(self, attempts: i32) -> TimeDelta {
        let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(31);
        let rest = self.first.saturating_mul(1 << doublings).min(self.longest);
        TimeDelta::from_std(rest).unwrap_or(TimeDelta::MAX)
    }
}

/// Runs `round` until `shutdown`: again at once while it finds work, else when woken, at the latest after `poll`.
pub async fn run<F>(shutdown: CancellationToken, wake: &Notify, poll: Duration, mut round: impl FnMut() -> F)
where
    F: Future<Output = bool>,
{
    let stopped = async {
        shutdown.cancelled().await;
        tokio::time::sleep(LAST_ROUND).await;
    };
    tokio::pin!(stopped);
    while !shutdown.is_cancelled() {
        let found = tokio::select! {
            found = round() => found,
            () = &mut stopped => return,
        };
        if found {
            continue;
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = wake.notified() => {}
            () = tokio::time::sleep(poll) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_double_up_to_the_longest() {
        let seconds = |attempts| Backoff::default().after(attempts).num_seconds();
        assert_eq!([seconds(0), seconds(1), seconds(2), seconds(9)], [1, 1, 2, 256]);
        assert_eq!([seconds(10), seconds(40), seconds(i32::MAX), seconds(i32::MIN)], [300, 300, 300, 1]);
    }
}
