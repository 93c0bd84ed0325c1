//! What became of messages, and how much waits.

use std::time::Duration;

use ::metrics::{counter, describe_counter, describe_gauge, gauge};
use tokio_util::sync::CancellationToken;

use super::{
    Notices,
    entity::{Channel, End},
    repo,
};
use crate::SERVICE;

const NOTICES: &str = "wallet_notices_total";
const RETRIES: &str = "wallet_notice_retries_total";
const PENDING: &str = "wallet_notices_pending";
const OLDEST: &str = "wallet_notices_oldest_seconds";
/// What is pending is counted up to this.
const MOST_COUNTED: i64 = 10_000;
const WATCH: Duration = Duration::from_secs(5);

/// Shows them from the start, at zero.
pub(crate) fn register() {
    describe_counter!(NOTICES, "Messages to people that ended, by how.");
    describe_counter!(RETRIES, "Attempts to send a message that failed and are made again.");
    describe_gauge!(PENDING, "Messages that are still to be sent; more than 10,000 are not counted.");
    describe_gauge!(OLDEST, "The age of the oldest message that is still to be sent.");
    for channel in Channel::ALL {
        for end in End::ALL {
            counter!(NOTICES, "service" => SERVICE, "channel" => channel.name(), "outcome" => end.name())
                .increment(0);
        }
        counter!(RETRIES, "service" => SERVICE, "channel" => channel.name()).increment(0);
        gauge!(PENDING, "service" => SERVICE, "channel" => channel.name()).set(0.0);
        gauge!(OLDEST, "service" => SERVICE, "channel" => channel.name()).set(0.0);
    }
}

pub(super) fn ended(channel: Channel, end: End) {
    counter!(NOTICES, "service" => SERVICE, "channel" => channel.name(), "outcome" => end.name())
        .increment(1);
}

pub(super) fn retried(channel: Channel) {
    counter!(RETRIES, "service" => SERVICE, "channel" => channel.name()).increment(1);
}

/// Keeps the gauges fresh until `shutdown`, whichever instance sends.
pub(crate) async fn watch(notices: Notices, shutdown: CancellationToken) {
    let mut tick = tokio::time::interval(WATCH);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = tick.tick() => {}
        }
        for channel in Channel::ALL {
            let now = notices.clock.now();
            let Ok(standing) = repo::standing(&notices.pool, channel, MOST_COUNTED, now).await else {
                continue;
            };
            let pending = f64::from(u32::try_from(standing.pending).unwrap_or(u32::MAX));
            gauge!(PENDING, "service" => SERVICE, "channel" => channel.name()).set(pending);
            gauge!(OLDEST, "service" => SERVICE, "channel" => channel.name()).set(standing.oldest_seconds);
        }
    }
}
