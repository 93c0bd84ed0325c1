//! What became of deliveries, how long attempts take, and how much waits.

use std::time::Duration;

use ::metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use common_db::PgPool;
use common_utils::clock::SharedClock;
use tokio_util::sync::CancellationToken;

use super::{
    delivery::{Attempt, DeliveryStatus},
    entity::Cause,
    repo::queue,
};
use crate::SERVICE;

const DELIVERIES: &str = "wallet_webhook_deliveries_total";
const ATTEMPTS: &str = "wallet_webhook_attempts_total";
const DURATION: &str = "wallet_webhook_attempt_duration_seconds";
const PENDING: &str = "wallet_webhook_pending";
const OLDEST: &str = "wallet_webhook_oldest_due_seconds";
const ENDPOINTS: &str = "wallet_webhook_endpoints";
const DISABLED: &str = "wallet_webhook_endpoints_disabled_total";
/// What is pending is counted up to this.
const MOST_COUNTED: i64 = 100_000;
const WATCH: Duration = Duration::from_secs(5);

/// Shows them from the start, at zero.
pub(crate) fn register() {
    describe_counter!(DELIVERIES, "Webhook deliveries that ended, by how.");
    describe_counter!(ATTEMPTS, "Attempts to send a webhook, by their outcome.");
    describe_histogram!(DURATION, "How long an attempt took.");
    describe_gauge!(
        PENDING,
        "Webhook deliveries that are to be tried, now or later; more than 100,000 are not counted."
    );
    describe_gauge!(OLDEST, "For how long the oldest delivery is due, of endpoints that work.");
    describe_gauge!(ENDPOINTS, "Webhook endpoints by their state: failing ones are enabled too.");
    describe_counter!(DISABLED, "Webhook endpoints that the service disabled by itself, by why.");
    for status in [DeliveryStatus::Delivered, DeliveryStatus::Failed, DeliveryStatus::Cancelled] {
        ended(status, 0);
    }
    for outcome in ["success", "failure"] {
        counter!(ATTEMPTS, "service" => SERVICE, "outcome" => outcome).absolute(0);
        let _ = histogram!(DURATION, "service" => SERVICE, "outcome" => outcome);
    }
    for cause in [Cause::Gone, Cause::Failing, Cause::Overdue] {
        counter!(DISABLED, "service" => SERVICE, "cause" => cause.name()).absolute(0);
    }
    gauge!(PENDING, "service" => SERVICE).set(0.0);
    gauge!(OLDEST, "service" => SERVICE).set(0.0);
    for status in ["enabled", "failing", "disabled"] {
        gauge!(ENDPOINTS, "service" => SERVICE, "status" => status).set(0.0);
    }
}

pub(super) fn ended(status: DeliveryStatus, deliveries: u64) {
    counter!(DELIVERIES, "service" => SERVICE, "outcome" => status.name()).increment(deliveries);
}

pub(super) fn attempted(attempt: &Attempt) {
    let outcome = if attempt.succeeded() { "success" } else { "failure" };
    counter!(ATTEMPTS, "service" => SERVICE, "outcome" => outcome).increment(1);
    histogram!(DURATION, "service" => SERVICE, "outcome" => outcome).record(attempt.duration);
}

pub(super) fn disabled(cause: Cause) {
    counter!(DISABLED, "service" => SERVICE, "cause" => cause.name()).increment(1);
}

/// Keeps the gauges fresh until `shutdown`, whichever instance sends.
pub(crate) async fn watch(pool: PgPool, clock: SharedClock, shutdown: CancellationToken) {
    let mut tick = tokio::time::interval(WATCH);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = tick.tick() => {}
        }
        let Ok(standing) = queue::standing(&pool, MOST_COUNTED, clock.now()).await else { continue };
        let number = |value: i64| f64::from(u32::try_from(value).unwrap_or(u32::MAX));
        gauge!(PENDING, "service" => SERVICE).set(number(standing.pending));
        gauge!(OLDEST, "service" => SERVICE).set(standing.oldest_due_seconds);
        for (status, endpoints) in
            [("enabled", standing.enabled), ("failing", standing.failing), ("disabled", standing.disabled)]
        {
            gauge!(ENDPOINTS, "service" => SERVICE, "status" => status).set(number(endpoints));
        }
    }
}
