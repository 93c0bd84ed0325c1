//! The whole way: from the outbox of a service through Kafka to an integrator, and from staff to the audit log.

use std::{collections::BTreeSet, sync::Arc};

use common_events::testing::kafka;
use common_utils::{
    clock::{SharedClock, SystemClock},
    ids,
};
use serde_json::json;

use super::Hooks;
use crate::{
    events::{Running, actions, publish, support, transaction},
    world::eventually,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_anywhere_arrives_once_and_what_happened_before_does_not() {
    let (hooks, kafka) = (Hooks::new().await, kafka().await);
    let pool = &hooks.world.db.pool;
    publish(pool, &[transaction(ids::new_id())]).await;
    let endpoint = hooks.endpoint(&["transaction.*"]).await;
    let clock: SharedClock = Arc::new(SystemClock);
    // Two instances share the work. The group is new, so it begins at the first event of all.
    let one = Running::start(&hooks.world, Arc::clone(&clock), &kafka).await;
    let two = Running::start(&hooks.world, clock, &kafka).await;
    let moved: BTreeSet<String> = (0..20).map(|_| ids::new_id().to_string()).collect();
    let events: Vec<_> = moved.iter().map(|id| transaction(id.parse().unwrap())).collect();
    publish(pool, &events).await;
    publish(pool, &[support(ids::new_id())]).await;
    hooks.until(&endpoint, "delivered", 20).await;
    // As if a relay had died between publishing and marking: everything comes again.
    sqlx::query("UPDATE outbox_batches SET published_at = NULL").execute(pool).await.unwrap();
    let last = ids::new_id();
    publish(pool, &[transaction(last)]).await;
    hooks.until(&endpoint, "delivered", 21).await;

    let got = hooks.receiver.got();
    assert!(got.iter().all(|request| request.signed_by(&endpoint.secret) == 1));
    let arrived: BTreeSet<String> = got
        .iter()
        .map(|request| request.json()["data"]["transactionId"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!((got.len(), arrived.len()), (21, 21));
    assert!(arrived.is_superset(&moved));

    let entries = eventually("the entry of the endpoint", async || {
        let query = format!("subject=webhook_endpoint:{}", endpoint.id);
        actions(&hooks.world, &query).await.pop()
    });
    let entry = entries.await;
    assert_eq!(entry["action"], "admin.webhook_endpoint.created");
    assert_eq!(entry["actor"], json!({ "type": "staff", "id": hooks.admin.id }));
    let kept = &entry["details"];
    assert_eq!((&kept["eventTypes"], &kept["status"]), (&json!(["transaction.*"]), &json!("enabled")));
    assert_eq!(kept["redacted"], serde_json::Value::Null);
    one.stop().await;
    two.stop().await;
}
