//! What may leave in a day, and from a device that was bound a moment ago.

use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use common_auth::{Claims, testing as auth};
use common_db::constraint;
use common_limits::Limits;
use common_utils::{
    clock::Clock,
    config::Env,
    ids::{self, UserId},
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    peers::Fault,
    support::{Answer, Customer, World, between, eventually, naira},
};

/// Of nobody verified and of tier 1, in kobo.
pub(crate) const A_DAY: i64 = 5_000_000;
/// Of a device in its first hours.
pub(crate) const NEW_DEVICE: i64 = 2_000_000;
pub(crate) const WEALTH: i64 = 1_000_000_000_000;

/// A customer who has more than any limit lets go.
pub(crate) fn rich(world: &World, first: &str) -> Customer {
    let customer = world.customer(first, "Obi");
    let mut book = world.peers.book();
    let account = book.accounts.iter_mut().find(|account| account.wallet == customer.wallet);
    account.unwrap().balance = WEALTH;
    drop(book);
    customer
}

/// What is counted of the customer under this limit, from the oldest window on.
async fn counted(world: &World, customer: &Customer, limit: &str) -> Vec<i64> {
    sqlx::query_scalar(
        "SELECT moved::bigint FROM outflow_windows WHERE user_id = $1 AND kind = $2 AND starts_at > 'epoch'
         ORDER BY starts_at",
    )
    .bind(customer.person.id)
    .bind(limit)
    .fetch_all(world.pool())
    .await
    .unwrap()
}

pub(crate) async fn today(world: &World, customer: &Customer) -> i64 {
    counted(world, customer, "daily_outflow").await.pop().unwrap_or_default()
}

/// As an event of identity-service would write it.
pub(crate) async fn tier(world: &World, customer: &Customer, tier: i16) {
    sqlx::query(
        "INSERT INTO directory_users (user_id, email_hash, phone_hash, display_name, kyc_tier, status, changed_at)
         VALUES ($1, sha256($1::text::bytea), sha256($1::text::bytea), 'Ada O.', $2, 'active', now())
         ON CONFLICT (user_id) DO UPDATE SET kyc_tier = EXCLUDED.kyc_tier",
    )
    .bind(customer.person.id)
    .bind(tier)
    .execute(world.pool())
    .await
    .unwrap();
}

/// The customer on a session of their own, on a device that was bound then.
pub(crate) fn on_device(world: &World, customer: &Customer, since: DateTime<Utc>) -> Customer {
    let claims = auth::claims(UserId::from(customer.person.id), world.clock.now());
    let claims = Claims { dev_at: Some(since.timestamp()), exp: claims.iat + 100_000, ..claims };
    Customer { token: world.signed(&claims), ..customer.clone() }
}

/// Asserts that the limit refused it, and what was left.
pub(crate) fn assert_over(answer: &Answer, limit: &str, left: &str) {
    assert_eq!((answer.status.as_u16(), answer.code()), (422, "limit_exceeded"), "{}", answer.body);
    assert_eq!(answer.fields(), [format!("amount.amount {limit}")]);
    let detail = answer.body["detail"].as_str().unwrap();
    assert!(detail.contains(&format!("NGN {left} of it is left")), "{detail}");
}

fn assert_sent(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
}

#[tokio::test]
async fn a_day_holds_what_the_tier_lets_go() {
    let world = World::new().await;
    let (ada, bola) = (rich(&world, "Ada"), rich(&world, "Bola"));
    assert_sent(&world.transfer(&ada, "k1", &between(&ada, &bola, 3_000_000)).await);
    let refused = world.transfer(&ada, "k2", &between(&ada, &bola, 2_000_001)).await;
    assert_over(&refused, "daily_outflow", "20000.00");
    assert!(refused.body["detail"].as_str().unwrap().contains("NGN 50000.00 a day"), "{}", refused.body);
    assert_sent(&world.transfer(&ada, "k3", &between(&ada, &bola, 2_000_000)).await);
    let refused = world.transfer(&ada, "k4", &between(&ada, &bola, 1)).await;
    assert_over(&refused, "daily_outflow", "0.00");

    // A refusal is a transfer that failed, and that the ledger never heard of.
    assert_eq!(world.statuses().await, ["completed", "failed", "completed", "failed"]);
    assert_eq!(world.peers.book().decided.len(), 2);
    let told = world.event_types().await;
    assert_eq!(told.iter().filter(|kind| *kind == "transaction.failed").count(), 2);
    assert_eq!(today(&world, &ada).await, A_DAY);
    // What she is sent is not what she sends.
    assert_sent(&world.transfer(&bola, "k1", &between(&bola, &ada, A_DAY)).await);
}

#[tokio::test]
async fn a_refusal_is_remembered_by_its_key() {
    let world = World::new().await;
    let (ada, bola) = (rich(&world, "Ada"), rich(&world, "Bola"));
    let body = between(&ada, &bola, A_DAY + 1);
    let first = world.transfer(&ada, "k1", &body).await;
    assert_over(&first, "daily_outflow", "50000.00");
    tier(&world, &ada, 3).await;
    let again = world.transfer(&ada, "k1", &body).await;
    assert_eq!((again.status, &again.body, again.replayed()), (first.status, &first.body, true));
    assert_sent(&world.transfer(&ada, "k2", &body).await);
}

#[tokio::test]
async fn a_day_ends_at_midnight_in_the_country() {
    let world = World::new().await;
    let (ada, bola) = (rich(&world, "Ada"), rich(&world, "Bola"));
    assert_sent(&world.transfer(&ada, "k1", &between(&ada, &bola, A_DAY)).await);
    // It is noon in UTC, and one o'clock in Nigeria.
    world.advance(11 * 3_600 - 1);
    assert_over(&world.transfer(&ada, "k2", &between(&ada, &bola, 1)).await, "daily_outflow", "0.00");
    world.advance(1);
    assert_sent(&world.transfer(&ada, "k3", &between(&ada, &bola, A_DAY)).await);
    assert_eq!(counted(&world, &ada, "daily_outflow").await, [A_DAY, A_DAY]);
}

#[tokio::test]
async fn a_higher_tier_lets_more_go_and_a_lower_one_less_at_once() {
    let world = World::new().await;
    let (ada, bola) = (rich(&world, "Ada"), rich(&world, "Bola"));
    tier(&world, &ada, 3).await;
    assert_sent(&world.transfer(&ada, "k1", &between(&ada, &bola, 6_000_000)).await);
    tier(&world, &ada, 2).await;
    let refused = world.transfer(&ada, "k2", &between(&ada, &bola, 14_000_001)).await;
    assert_over(&refused, "daily_outflow", "140000.00");
    // What she has sent before is more than is left to her now.
    for fallen in [1, 0, 17, -1] {
        tier(&world, &ada, fallen).await;
        let key = format!("fallen to {fallen}");
        assert_over(&world.transfer(&ada, &key, &between(&ada, &bola, 1)).await, "daily_outflow", "0.00");
    }
    tier(&world, &ada, 2).await;
    assert_sent(&world.transfer(&ada, "k3", &between(&ada, &bola, 14_000_000)).await);
}

#[tokio::test]
async fn between_ones_own_wallets_and_in_other_currencies_nothing_leaves() {
    let world = World::new().await;
    let (ada, bola) = (rich(&world, "Ada"), rich(&world, "Bola"));
    let (savings, _) = world.open_wallet(&ada.person, "NGN", 0);
    let own = naira(ada.wallet, &json!({"walletId": savings}), A_DAY * 20);
    assert_sent(&world.transfer(&ada, "k1", &own).await);
    let (dollars, _) = world.open_wallet(&ada.person, "USD", WEALTH);
    let (hers, _) = world.open_wallet(&bola.person, "USD", 0);
    let mut foreign = naira(dollars, &json!({"walletId": hers}), A_DAY * 20);
    foreign["amount"]["currency"] = json!("USD");
    assert_sent(&world.transfer(&ada, "k2", &foreign).await);
    assert!(counted(&world, &ada, "daily_outflow").await.is_empty());
    // Both wallets are one person's.
    assert_sent(&world.transfer(&ada, "k3", &between(&ada, &bola, A_DAY - 1)).await);
    let from_savings = naira(savings, &json!({"walletId": bola.wallet}), 2);
    assert_over(&world.transfer(&ada, "k4", &from_savings).await, "daily_outflow", "0.01");
}

#[tokio::test]
async fn a_machine_sends_what_is_left_to_its_owner() {
    let world = World::new().await;
    let (ada, bola) = (rich(&world, "Ada"), rich(&world, "Bola"));
    let scopes = "transfers:write".parse().unwrap();
    let claims = auth::machine_claims(UserId::from(ada.person.id), scopes, world.clock.now());
    let shop = Customer { token: world.signed(&claims), ..ada.clone() };
    assert_sent(&world.transfer(&shop, "k1", &between(&ada, &bola, A_DAY - 1)).await);
    assert_over(&world.transfer(&ada, "k2", &between(&ada, &bola, 2)).await, "daily_outflow", "0.01");
}

#[tokio::test]
async fn a_new_device_sends_less_for_a_day() {
    let world = World::new().await;
    let (ada, bola) = (rich(&world, "Ada"), rich(&world, "Bola"));
    tier(&world, &ada, 2).await;
    let bound = world.clock.now();
    let phone = on_device(&world, &ada, bound);
    assert_sent(&world.transfer(&phone, "k1", &between(&ada, &bola, NEW_DEVICE - 1)).await);
    assert_over(&world.transfer(&phone, "k2", &between(&ada, &bola, 2)).await, "new_device", "0.01");
    // Another session of the same device shares its window, one that is on none has the day.
    world.advance(60);
    let unlocked = on_device(&world, &ada, bound);
    assert_over(&world.transfer(&unlocked, "k3", &between(&ada, &bola, 2)).await, "new_device", "0.01");
    assert_sent(&world.transfer(&ada, "k4", &between(&ada, &bola, 10_000_000)).await);
    assert_eq!(counted(&world, &ada, "new_device").await, [NEW_DEVICE - 1]);
    assert_eq!(today(&world, &ada).await, 10_000_000 + NEW_DEVICE - 1);

    // The country's next day does not make it old; a day after it was bound, it is.
    world.advance(86_399 - 60);
    let phone = on_device(&world, &ada, bound);
    assert_over(&world.transfer(&phone, "k6", &between(&ada, &bola, 2)).await, "new_device", "0.01");
    world.advance(1);
    assert_sent(&world.transfer(&phone, "k7", &between(&ada, &bola, 5 * NEW_DEVICE)).await);
}

#[tokio::test]
async fn who_binds_another_device_does_not_begin_anew() {
    const LATER: i64 = 3_600;
    let world = World::new().await;
    let (ada, bola) = (rich(&world, "Ada"), rich(&world, "Bola"));
    tier(&world, &ada, 2).await;
    let bound = world.clock.now();
    let phone = on_device(&world, &ada, bound);
    assert_sent(&world.transfer(&phone, "k1", &between(&ada, &bola, 1_500_000)).await);
    world.advance(LATER);
    let again = on_device(&world, &ada, bound + TimeDelta::seconds(LATER));
    assert_over(&world.transfer(&again, "k2", &between(&ada, &bola, 500_001)).await, "new_device", "5000.00");
    assert_sent(&world.transfer(&again, "k3", &between(&ada, &bola, 500_000)).await);
    for (key, device) in [("k4", &phone), ("k5", &again)] {
        assert_over(&world.transfer(device, key, &between(&ada, &bola, 1)).await, "new_device", "0.00");
    }
    assert_eq!(counted(&world, &ada, "new_device").await, [1_500_000, 500_000]);
    // Somebody else's devices are their own.
    let hers = on_device(&world, &bola, bound);
    assert_sent(&world.transfer(&hers, "k1", &between(&bola, &ada, NEW_DEVICE)).await);

    // What went out by a device that is not new any more does not count.
    world.advance(86_400 - LATER);
    let again = on_device(&world, &ada, bound + TimeDelta::seconds(LATER));
    assert_sent(&world.transfer(&again, "k6", &between(&ada, &bola, 1_500_000)).await);
    assert_over(&world.transfer(&again, "k7", &between(&ada, &bola, 1)).await, "new_device", "0.00");
}

#[tokio::test]
async fn of_two_limits_the_one_that_leaves_less_is_named() {
    let world = World::new().await;
    let (ada, bola) = (rich(&world, "Ada"), rich(&world, "Bola"));
    assert_sent(&world.transfer(&ada, "k1", &between(&ada, &bola, A_DAY - 100)).await);
    let phone = on_device(&world, &ada, world.clock.now());
    let refused = world.transfer(&phone, "k2", &between(&ada, &bola, NEW_DEVICE + 1)).await;
    assert_over(&refused, "daily_outflow", "1.00");
    // Refused by one, it counts in neither.
    assert_eq!(counted(&world, &ada, "new_device").await, [0]);
}

#[tokio::test]
async fn what_fails_is_given_back() {
    let world = World::new().await;
    let (ada, bola) = (rich(&world, "Ada"), rich(&world, "Bola"));
    let phone = on_device(&world, &ada, world.clock.now());
    world.peers.fail(Fault::Refuse("wallet_frozen"));
    let failed = world.transfer(&phone, "k1", &between(&ada, &bola, NEW_DEVICE)).await;
    assert_eq!(failed.code(), "wallet_frozen");
    assert_eq!((today(&world, &ada).await, counted(&world, &ada, "new_device").await), (0, vec![0]));
    world.peers.fail(Fault::None);
    assert_sent(&world.transfer(&phone, "k2", &between(&ada, &bola, NEW_DEVICE)).await);
}

#[tokio::test]
async fn recovery_gives_back_to_the_day_that_it_was_taken_from() {
    let world = World::new().await;
    let (ada, bola) = (rich(&world, "Ada"), rich(&world, "Bola"));
    assert_sent(&world.transfer(&ada, "k1", &between(&ada, &bola, 1_000)).await);
    world.peers.fail(Fault::Down);
    let open = world.transfer(&ada, "k2", &between(&ada, &bola, A_DAY - 1_000)).await;
    assert_eq!(open.status, StatusCode::SERVICE_UNAVAILABLE);
    // As long as nobody knows what becomes of it, it has left.
    assert_over(&world.transfer(&ada, "k3", &between(&ada, &bola, 1)).await, "daily_outflow", "0.00");
    world.advance(86_400);
    world.peers.fail(Fault::None);
    assert_sent(&world.transfer(&ada, "k4", &between(&ada, &bola, 7)).await);
    world.peers.fail(Fault::Refuse("insufficient_funds"));
    let stop = [world.run_instance().await, world.run_instance().await];
    world.wait_for_statuses(&["completed", "failed", "failed", "completed"]).await;
    stop.iter().for_each(tokio_util::sync::CancellationToken::cancel);
    assert_eq!(
        world.transfer(&ada, "k2", &between(&ada, &bola, A_DAY - 1_000)).await.code(),
        "insufficient_funds"
    );
    assert_eq!(counted(&world, &ada, "daily_outflow").await, [1_000, 7]);
}

/// As recovery and a client's retry looked for transfers in the release that knew no limits.
const TAKEN_BY_THE_RELEASE_BEFORE: [&str; 2] = [
    "WITH expired AS (
         SELECT id FROM transactions WHERE status = 'initiated' AND leased_until <= $1
         ORDER BY leased_until LIMIT 100 FOR UPDATE SKIP LOCKED
     )
     UPDATE transactions t SET leased_until = $2 FROM expired WHERE t.id = expired.id",
    "UPDATE transactions SET leased_until = $2
     WHERE id = (SELECT id FROM transactions) AND status = 'initiated' AND leased_until <= $1",
];

/// The process died after it had counted and before it had answered. Instances of the release before run beside the new ones, and
/// would hand the transfer to the ledger.
#[tokio::test]
async fn what_a_limit_has_refused_is_ended_by_recovery_alone_and_without_the_ledger() {
    let world = World::new().await;
    let (ada, bola) = (rich(&world, "Ada"), rich(&world, "Bola"));
    let statement = async |text: &'static str| sqlx::query(text).execute(world.pool()).await.unwrap();
    statement("ALTER TABLE transactions ADD CONSTRAINT unlucky CHECK (status <> 'failed')").await;
    let body = between(&ada, &bola, A_DAY + 1);
    let cut_short = world.transfer(&ada, "k1", &body).await;
    assert_eq!(cut_short.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(world.statuses().await, ["initiated"]);
    statement("ALTER TABLE transactions DROP CONSTRAINT unlucky").await;
    assert_eq!(world.transfer(&ada, "k1", &body).await.code(), "request_in_progress");
    world.advance(20);
    for taking in TAKEN_BY_THE_RELEASE_BEFORE {
        let now = world.clock.now();
        let query = sqlx::query(taking).bind(now).bind(now + TimeDelta::seconds(15));
        assert_eq!(query.execute(world.pool()).await.unwrap().rows_affected(), 0, "{taking}");
    }
    let lease = sqlx::query("UPDATE transactions SET leased_until = now()").execute(world.pool()).await;
    assert_eq!(constraint::violated(&lease.unwrap_err()), Some("transactions_over_limit_never_taken"));
    let stop = world.run_instance().await;
    world.wait_for_statuses(&["failed"]).await;
    stop.cancel();
    let told = world.transfer(&ada, "k1", &body).await;
    assert_over(&told, "daily_outflow", "50000.00");
    assert!(told.replayed() && world.peers.book().decided.is_empty());
    assert_eq!(today(&world, &ada).await, 0);
    assert_eq!(world.event_types().await, ["transaction.initiated", "transaction.failed"]);
}

#[tokio::test]
async fn what_a_limit_has_refused_is_ended_by_the_retry_too() {
    let world = World::new().await;
    let (ada, bola) = (rich(&world, "Ada"), rich(&world, "Bola"));
    let statement = async |text: &'static str| sqlx::query(text).execute(world.pool()).await.unwrap();
    statement("ALTER TABLE transactions ADD CONSTRAINT unlucky CHECK (status <> 'failed')").await;
    let body = between(&ada, &bola, A_DAY + 1);
    world.transfer(&ada, "k1", &body).await;
    statement("ALTER TABLE transactions DROP CONSTRAINT unlucky").await;
    world.advance(15);
    let told = world.transfer(&ada, "k1", &body).await;
    assert_over(&told, "daily_outflow", "50000.00");
    assert!(world.peers.book().decided.is_empty());
    assert_eq!(world.statuses().await, ["failed"]);
}

#[tokio::test]
async fn a_deployment_may_do_without() {
    let off = Env::from_values("transaction", [("TIER_LIMITS".to_owned(), "off".to_owned())].into());
    let world = World::with(|config| config.limits = Limits::from_env(&off).unwrap()).await;
    let (ada, bola) = (rich(&world, "Ada"), rich(&world, "Bola"));
    let phone = on_device(&world, &ada, world.clock.now());
    assert_sent(&world.transfer(&phone, "k1", &between(&ada, &bola, 100 * A_DAY)).await);
    assert!(counted(&world, &ada, "daily_outflow").await.is_empty());
}

#[tokio::test]
async fn a_limit_says_nothing_of_who_may_be_paid() {
    let world = World::new().await;
    let ada = rich(&world, "Ada");
    let nobody = naira(ada.wallet, &json!({"walletId": ids::new_id()}), A_DAY + 1);
    assert_eq!(world.transfer(&ada, "k1", &nobody).await.code(), "recipient_not_found");
    assert!(world.statuses().await.is_empty());
}

#[tokio::test]
async fn refusals_are_counted_by_limit() {
    common_utils::telemetry::metrics::install().unwrap();
    let world = World::new().await;
    let (ada, bola) = (rich(&world, "Ada"), rich(&world, "Bola"));
    let series = |limit: &str| {
        let name =
            format!(r#"wallet_transfer_limit_refusals_total{{service="transaction",limit="{limit}"}}"#);
        let page = common_utils::telemetry::metrics::render("transaction");
        let line = page.lines().find_map(|line| line.strip_prefix(&name).map(str::to_owned));
        line.expect(&name).trim().parse::<u64>().unwrap()
    };
    let before = [series("daily_outflow"), series("new_device")];
    let phone = on_device(&world, &ada, world.clock.now());
    world.transfer(&phone, "k1", &between(&ada, &bola, NEW_DEVICE + 1)).await;
    let refused = eventually(async || (series("new_device") > before[1]).then_some(())).await;
    assert!(refused.is_some() && series("daily_outflow") >= before[0]);
}

/// Of every window: its content, and the sum of the transfers in it that have not failed.
pub(crate) async fn windows(world: &World, users: &[Uuid]) -> Vec<(String, i64, i64)> {
    sqlx::query_as(
        "SELECT w.kind, w.moved::bigint, COALESCE(sum(t.amount), 0)::bigint
         FROM outflow_windows w
         LEFT JOIN transactions t
              ON t.from_user_id = w.user_id AND t.currency = w.currency AND t.status <> 'failed'
             AND CASE w.kind WHEN 'new_device' THEN t.outflow_device ELSE t.outflow_day END = w.starts_at
         WHERE w.user_id = ANY($1)
         GROUP BY w.user_id, w.kind, w.starts_at, w.moved",
    )
    .bind(users)
    .fetch_all(world.pool())
    .await
    .unwrap()
}
