//! How far a group is behind.

use common_events::testing::{kafka, redis};
use common_utils::ids;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::world::{World, until};

const SERIES: &str = r#"wallet_consumer_lag_seconds{service="test",group="names",topic="user-events"} "#;

fn seconds(page: &PrometheusHandle) -> Option<f64> {
    page.render().lines().find_map(|line| line.strip_prefix(SERIES))?.parse().ok()
}

/// On one thread, which has a recorder of its own.
#[tokio::test]
async fn a_message_that_is_not_taken_in_grows_older_and_is_forgotten_when_it_is() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let page = recorder.handle();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let world = World::new(kafka().await).await;
    world.relay();
    world.consumer(&redis());
    let user = ids::new_id();
    world.register(user, &["slow"]).await;
    until("the slow one at work", async || world.names.gate.waiting() == 1).await;
    until("some age", async || seconds(&page).is_some_and(|age| age > 2.0)).await;
    let before = seconds(&page);
    until("more", async || seconds(&page) > before).await;
    world.names.gate.open();
    until("its effect", async || world.names_of(user).await == ["slow"]).await;
    until("none", async || seconds(&page) == Some(0.0)).await;
    world.stop().await;
}
