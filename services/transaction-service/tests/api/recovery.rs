//! A transfer whose request was cut short ends once, as completed or failed, and its client's retry learns of it.
//!
//! The two windows of a crash, as the database shows them: the key claimed and nothing posted (`Fault::Down`), and
//! posted but not settled (`Fault::LoseAnswer`). Nobody is listening at the address of Kafka in these tests.

use std::time::Duration;

use axum::http::StatusCode;

use crate::{
    peers::Fault,
    support::{Answer, Customer, World, between, eventually, transfer_request},
};

struct CutShort {
    world: World,
    ada: Customer,
    bola: Customer,
    body: serde_json::Value,
}

/// A transfer of 40,000 that this fault has left initiated; the fault is over.
async fn cut_short(fault: Fault) -> CutShort {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let body = between(&ada, &bola, 40_000);
    world.peers.fail(fault);
    let unanswered = world.transfer(&ada, "k1", &body).await;
    assert_eq!(unanswered.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!((unanswered.code(), unanswered.retry_after()), ("dependency_unavailable", 2));
    assert_eq!(world.statuses().await, ["initiated"]);
    world.peers.fail(Fault::None);
    CutShort { world, ada, bola, body }
}

impl CutShort {
    async fn retry(&self) -> Answer {
        self.world.transfer(&self.ada, "k1", &self.body).await
    }

    /// The money has moved once, and everybody was told once.
    async fn assert_done_once(&self) {
        assert_eq!(self.world.statuses().await, ["completed"]);
        let balance = |wallet| self.world.peers.book().balance(wallet);
        assert_eq!((balance(self.ada.wallet), balance(self.bola.wallet)), (60_000, 140_000));
        assert_eq!(self.world.event_types().await, ["transaction.initiated", "transaction.completed"]);
    }
}

#[tokio::test]
async fn claimed_and_not_posted_is_resumed_by_the_retry() {
    let cut = cut_short(Fault::Down).await;
    let busy = cut.retry().await;
    assert_eq!((busy.status.as_u16(), busy.code(), busy.retry_after()), (409, "request_in_progress", 1));
    cut.world.advance(2);
    let done = cut.retry().await;
    assert_eq!((done.status, done.replayed()), (StatusCode::CREATED, false));
    let again = cut.retry().await;
    assert_eq!((again.status, &again.body, again.replayed()), (done.status, &done.body, true));
    cut.assert_done_once().await;
}

#[tokio::test]
async fn posted_and_not_settled_is_resumed_by_the_retry() {
    let cut = cut_short(Fault::LoseAnswer).await;
    cut.world.advance(2);
    let done = cut.retry().await;
    assert_eq!((done.status, done.replayed()), (StatusCode::CREATED, false));
    cut.assert_done_once().await;
}

#[tokio::test]
async fn claimed_and_not_posted_is_ended_by_recovery() {
    let cut = cut_short(Fault::Down).await;
    cut.world.advance(2);
    let stop = cut.world.run_instance().await;
    cut.world.wait_for_statuses(&["completed"]).await;
    stop.cancel();
    let done = cut.retry().await;
    assert_eq!((done.status, done.replayed()), (StatusCode::CREATED, true));
    cut.assert_done_once().await;
    let ended = &cut.world.events().await[1];
    assert_eq!(
        (ended["actor"].as_str(), ended["correlationid"].as_str()),
        (Some("service:transaction-service"), Some("test-17"))
    );
}

#[tokio::test]
async fn posted_and_not_settled_is_ended_by_recovery() {
    let cut = cut_short(Fault::LoseAnswer).await;
    cut.world.advance(2);
    let stop = cut.world.run_instance().await;
    cut.world.wait_for_statuses(&["completed"]).await;
    stop.cancel();
    assert!(cut.retry().await.replayed());
    cut.assert_done_once().await;
}

#[tokio::test]
async fn recovery_waits_for_the_lease_and_for_the_ledger() {
    let cut = cut_short(Fault::Down).await;
    let stop = cut.world.run_instance().await;
    cut.world.peers.fail(Fault::Down);
    cut.world.advance(2);
    // It tries, fails, and gives the transfer back for the next round.
    let until: chrono::DateTime<chrono::Utc> = "2026-03-01T12:00:04Z".parse().unwrap();
    let given_back = eventually(async || {
        let lease: chrono::DateTime<chrono::Utc> =
            sqlx::query_scalar("SELECT leased_until FROM transactions")
                .fetch_one(cut.world.pool())
                .await
                .unwrap();
        (lease == until).then_some(())
    });
    assert!(given_back.await.is_some());
    assert_eq!(cut.world.statuses().await, ["initiated"]);
    cut.world.peers.fail(Fault::None);
    cut.world.advance(2);
    cut.world.wait_for_statuses(&["completed"]).await;
    stop.cancel();
    cut.assert_done_once().await;
}

#[tokio::test]
async fn a_refusal_that_recovery_learns_of_is_the_answer() {
    let cut = cut_short(Fault::Down).await;
    cut.world.peers.fail(Fault::Refuse("insufficient_funds"));
    cut.world.advance(2);
    let stop = cut.world.run_instance().await;
    cut.world.wait_for_statuses(&["failed"]).await;
    stop.cancel();
    let told = cut.retry().await;
    assert_eq!((told.status.as_u16(), told.code(), told.replayed()), (422, "insufficient_funds", true));
    assert_eq!(cut.world.event_types().await, ["transaction.initiated", "transaction.failed"]);
}

#[tokio::test]
async fn two_instances_end_each_transfer_once() {
    const TRANSFERS: usize = 250;
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    world.peers.fail(Fault::Down);
    for number in 0..TRANSFERS {
        world.transfer(&ada, &format!("k{number}"), &between(&ada, &bola, 100)).await;
    }
    assert_eq!(world.statuses().await, vec!["initiated"; TRANSFERS]);
    world.peers.fail(Fault::None);
    world.advance(20);
    let stops = [world.run_instance().await, world.run_instance().await];
    world.wait_for_statuses(&vec!["completed"; TRANSFERS]).await;
    stops.iter().for_each(tokio_util::sync::CancellationToken::cancel);
    assert_eq!(world.peers.book().balance(bola.wallet), 125_000);
    let types = world.event_types().await;
    assert_eq!(types.iter().filter(|kind| *kind == "transaction.completed").count(), TRANSFERS);
}

#[tokio::test]
async fn one_that_cannot_be_settled_does_not_keep_the_others_from_it() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let statement = async |text: &'static str| sqlx::query(text).execute(world.pool()).await.unwrap();
    world.peers.fail(Fault::LoseAnswer);
    for (key, amount) in [("k1", 10), ("k2", 13), ("k3", 10)] {
        world.transfer(&ada, key, &between(&ada, &bola, amount)).await;
    }
    world.peers.fail(Fault::None);
    statement("ALTER TABLE transactions ADD CONSTRAINT unlucky CHECK (amount <> 13 OR status = 'initiated')")
        .await;
    world.advance(20);
    let stop = world.run_instance().await;
    world.wait_for_statuses(&["completed", "initiated", "completed"]).await;
    statement("ALTER TABLE transactions DROP CONSTRAINT unlucky").await;
    world.advance(20);
    world.wait_for_statuses(&["completed"; 3]).await;
    stop.cancel();
    assert_eq!(world.peers.book().balance(bola.wallet), 100_033);
    let told = world.event_types().await;
    assert_eq!(told.iter().filter(|kind| *kind == "transaction.completed").count(), 3);
}

#[tokio::test]
async fn a_posting_that_the_ledger_knows_otherwise_is_left_for_people() {
    let cut = cut_short(Fault::Down).await;
    let id: uuid::Uuid =
        sqlx::query_scalar("SELECT id FROM transactions").fetch_one(cut.world.pool()).await.unwrap();
    let other = (serde_json::json!({}), serde_json::json!({"id": id, "outcome": "posted", "postedAt": null}));
    cut.world.peers.book().decided.insert(id, other);
    cut.world.advance(2);
    assert_eq!(cut.retry().await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(cut.world.statuses().await, ["initiated"]);
}

#[tokio::test]
async fn a_client_that_goes_away_does_not_stop_its_transfer() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    world.peers.fail(Fault::Slow(Duration::from_millis(400)));
    let body = between(&ada, &bola, 40_000);
    let request = tower::ServiceExt::oneshot(world.router.clone(), transfer_request(&ada, "k1", &body));
    let waiting = tokio::spawn(request);
    let claimed = eventually(async || (world.statuses().await == ["initiated"]).then_some(())).await;
    assert!(claimed.is_some());
    waiting.abort();
    world.wait_for_statuses(&["completed"]).await;
    let told = world.transfer(&ada, "k1", &body).await;
    assert_eq!((told.status, told.replayed()), (StatusCode::CREATED, true));
}

#[tokio::test]
async fn every_series_is_exported_from_the_start() {
    common_utils::telemetry::metrics::install().unwrap();
    let world = World::new().await;
    let stop = world.run_instance().await;
    let page = eventually(async || {
        let page = common_utils::telemetry::metrics::render("transaction");
        page.contains("wallet_transactions_initiated").then_some(page)
    });
    let page = page.await.unwrap();
    stop.cancel();
    for series in [
        r#"wallet_transactions_total{service="transaction",type="transfer",status="initiated"}"#,
        r#"wallet_transactions_total{service="transaction",type="transfer",status="completed"}"#,
        r#"wallet_transactions_total{service="transaction",type="transfer",status="failed"}"#,
        r#"wallet_transactions_total{service="transaction",type="deposit",status="completed"}"#,
        r#"wallet_transfers_recovered_total{service="transaction",outcome="completed"}"#,
        r#"wallet_transfers_recovered_total{service="transaction",outcome="failed"}"#,
        r#"wallet_transfers_recovered_total{service="transaction",outcome="unanswered"}"#,
        r#"wallet_transfer_limit_refusals_total{service="transaction",limit="daily_outflow"}"#,
        r#"wallet_transfer_limit_refusals_total{service="transaction",limit="new_device"}"#,
        r#"wallet_transfer_limit_refusals_total{service="transaction",limit="recipient_ceiling"}"#,
        r#"wallet_directory_fallbacks_total{service="transaction",asked="identity"}"#,
        r#"wallet_transactions_initiated{service="transaction"}"#,
    ] {
        assert!(page.contains(series), "{series} is missing:\n{page}");
    }
}
