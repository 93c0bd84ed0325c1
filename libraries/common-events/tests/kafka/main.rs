//! Events on a real Postgres, a real Kafka and a real Redis.
//!
//! What needs one broker is tried on a real one and on the embedded broker, by the same functions (`on_both_brokers`). Only on a real
//! one is what asks the broker for more than messages: librdkafka's mock cluster answers no call that makes or describes topics
//! (`topics.rs`) and none that describes groups (where a test waits for members, in `members.rs`), and it has one broker that nobody
//! can kill (`cluster.rs`). An outbox is not cleaned for the embedded broker, so `outbox.rs` has another test for it. With it a
//! killed relay or consumer is a killed broker, too: that is the restart in `delivery.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on must fail"
)]

/// Tests of these functions, which take the configuration of a broker: `<function>::real` and `<function>::embedded`.
macro_rules! on_both_brokers {
    ($($test:ident)*) => {$(
        mod $test {
            #[tokio::test(flavor = "multi_thread")]
            async fn real() {
                super::$test(common_events::testing::kafka().await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn embedded() {
                let broker = common_events::embedded_broker::EmbeddedBroker::start().unwrap();
                super::$test(crate::world::embedded(&broker)).await;
            }
        }
    )*};
}

mod broken;
mod brokers;
mod cluster;
mod delivery;
mod lag;
mod letters;
mod load;
mod locks;
mod members;
mod outbox;
mod own_redis;
mod process;
mod proofs;
mod rebuild;
mod registry;
mod tail;
mod topics;
mod world;
