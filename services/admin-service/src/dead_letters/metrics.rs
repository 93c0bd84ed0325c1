//! How many dead letters there are, and what became of them.

use std::{collections::HashSet, time::Duration};

use ::metrics::{counter, describe_counter, describe_gauge, gauge};
use common_db::PgPool;
use common_events::Topic;
use tokio_util::sync::CancellationToken;

use super::{
    entity::{DeadLetter, Status},
    repo,
};
use crate::{SERVICE, SERVICE_NAME};

const OPEN: &str = "wallet_dead_letters_open";
const RECEIVED: &str = "wallet_dead_letters_received_total";
const ENDED: &str = "wallet_dead_letters_ended_total";
const WATCH: Duration = Duration::from_secs(5);

/// Shows them from the start, at zero.
pub(crate) fn register() {
    describe_gauge!(OPEN, "Dead letters about which nothing is decided, by topic and consumer group.");
    describe_counter!(RECEIVED, "Dead letters collected by this process.");
    describe_counter!(
        ENDED,
        "Dead letters that were put back into their topic or discarded, by this process."
    );
    counter!(RECEIVED, "service" => SERVICE).absolute(0);
    ended(Status::Replayed, 0);
    ended(Status::Discarded, 0);
    for topic in Topic::ALL {
        show(topic.name(), SERVICE_NAME, 0);
    }
}

pub(super) fn received(letters: u64) {
    counter!(RECEIVED, "service" => SERVICE).increment(letters);
}

pub(super) fn decided(letters: &[DeadLetter]) {
    let discarded = letters.iter().filter(|letter| letter.status == Status::Discarded).count();
    ended(Status::Discarded, discarded as u64);
}

pub(super) fn ended(status: Status, letters: u64) {
    counter!(ENDED, "service" => SERVICE, "outcome" => status.name()).increment(letters);
}

/// Keeps the gauge fresh until `shutdown`, whichever instance collects.
pub(crate) async fn watch(pool: PgPool, shutdown: CancellationToken) {
    let mut tick = tokio::time::interval(WATCH);
    let mut shown: HashSet<(String, String)> = HashSet::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = tick.tick() => {}
        }
        let Ok(open) = repo::count_open(&pool).await else { continue };
        let now: HashSet<(String, String)> =
            open.iter().map(|open| (open.topic.clone(), open.group.clone())).collect();
        for (topic, group) in shown.difference(&now) {
            show(topic, group, 0);
        }
        for open in open {
            show(&open.topic, &open.group, open.letters);
        }
        shown.extend(now);
    }
}

fn show(topic: &str, group: &str, letters: i64) {
    let letters = u32::try_from(letters).unwrap_or(u32::MAX);
    gauge!(OPEN, "service" => SERVICE, "topic" => topic.to_owned(), "group" => group.to_owned())
        .set(f64::from(letters));
}
