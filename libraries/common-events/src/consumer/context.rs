//! Consumer lag and rebalances, as librdkafka reports them.

use std::collections::HashMap;

use metrics::{counter, describe_counter, describe_gauge, gauge};
use rdkafka::{
    ClientContext, Statistics,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance},
};

pub(crate) struct LagContext {
    service: &'static str,
    group: &'static str,
    prefix: String,
}

impl LagContext {
    pub(crate) fn new(service: &'static str, group: &'static str, prefix: String) -> Self {
        describe_gauge!("wallet_consumer_lag", "Messages published and not yet taken in, by topic.");
        describe_counter!("wallet_consumer_rebalances_total", "Times that partitions were assigned anew.");
        Self { service, group, prefix }
    }
}

impl ClientContext for LagContext {
    fn stats(&self, statistics: Statistics) {
        let mut lag: HashMap<&str, i64> = HashMap::new();
        for (name, topic) in &statistics.topics {
            let name = name.strip_prefix(&self.prefix).unwrap_or(name);
            // Partitions of other members report −1.
            *lag.entry(name).or_default() +=
                topic.partitions.values().map(|partition| partition.consumer_lag.max(0)).sum::<i64>();
        }
        for (topic, messages) in lag {
            let messages = u32::try_from(messages).unwrap_or(u32::MAX);
            gauge!(
                "wallet_consumer_lag",
                "service" => self.service, "group" => self.group, "topic" => topic.to_owned()
            )
            .set(f64::from(messages));
        }
    }
}

impl ConsumerContext for LagContext {
    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        // A partition that was taken away while it was paused comes back paused. A slow batch that is still at work pauses it again.
        if let Rebalance::Assign(assigned) = rebalance
            && let Err(error) = consumer.resume(assigned)
        {
            tracing::error!(group = self.group, %error, "assigned partitions cannot be resumed");
        }
        tracing::debug!(group = self.group, ?rebalance, "rebalanced");
        counter!("wallet_consumer_rebalances_total", "service" => self.service, "group" => self.group)
            .increment(1);
    }
}
