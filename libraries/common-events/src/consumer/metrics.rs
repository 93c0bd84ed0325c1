//! What consumers count.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_histogram, histogram};

use super::{Consumer, Outcome};

const MESSAGES: &str = "wallet_consumer_messages_total";
const RETRIES: &str = "wallet_consumer_retries_total";
const CONFLICTS: &str = "wallet_consumer_conflicts_total";
const AHEAD: &str = "wallet_consumer_ahead_of_time_total";
const HANDLE: &str = "wallet_consumer_handle_duration_seconds";

/// Shows them from the start, at zero.
pub(super) fn register(consumer: &Consumer) {
    describe_counter!(MESSAGES, "Messages taken off their topics, by outcome.");
    describe_counter!(RETRIES, "Attempts at messages that failed and were repeated.");
    describe_counter!(CONFLICTS, "Events whose id was used before by an event of other content.");
    describe_counter!(AHEAD, "Events that claim to be of more than five minutes from now.");
    describe_histogram!(HANDLE, "Seconds from the start to the end of the transaction of a batch of events.");
    for name in [RETRIES, CONFLICTS, AHEAD] {
        counter!(name, "service" => consumer.service, "group" => consumer.group).absolute(0);
    }
}

/// Of a dead letter that is kept: its collector is a consumer like the others.
pub(crate) fn collected(service: &'static str, group: &'static str, topic: &str) {
    let (topic, outcome) = (topic.to_owned(), Outcome::Handled.label());
    counter!(MESSAGES, "service" => service, "group" => group, "topic" => topic, "outcome" => outcome)
        .increment(1);
}

impl Consumer {
    pub(super) fn count_outcome(&self, topic: &str, outcome: Outcome, messages: u64) {
        let topic = topic.strip_prefix(&self.kafka.prefix).unwrap_or(topic).to_owned();
        let outcome = outcome.label();
        counter!(MESSAGES, "service" => self.service, "group" => self.group, "topic" => topic, "outcome" => outcome)
            .increment(messages);
    }

    pub(super) fn count_retry(&self) {
        counter!(RETRIES, "service" => self.service, "group" => self.group).increment(1);
    }

    pub(super) fn count_conflict(&self) {
        counter!(CONFLICTS, "service" => self.service, "group" => self.group).increment(1);
    }

    pub(super) fn count_ahead(&self, events: u64) {
        counter!(AHEAD, "service" => self.service, "group" => self.group).increment(events);
    }

    pub(super) fn time_batch(&self, took: Duration) {
        histogram!(HANDLE, "service" => self.service, "group" => self.group).record(took);
    }
}
