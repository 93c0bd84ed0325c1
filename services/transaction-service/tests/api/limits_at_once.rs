//! Limits, when many come at the same time and at two instances.

use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use common_db::PgPool;
use common_utils::clock::Clock;
use sqlx::PgExecutor;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::{
    limits::{A_DAY, NEW_DEVICE, WEALTH, assert_over, on_device, rich, today},
    peers::Fault,
    support::{Answer, World, between, eventually, read, transfer_request},
};

/// Both instances at once, so that neither knows of the other but by the database.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_at_once_never_send_more_than_the_limit() {
    const AT_ONCE: usize = 64;
    const EACH: i64 = 400_000;
    let world = World::new().await;
    let (ada, bola) = (rich(&world, "Ada"), rich(&world, "Bola"));
    let instances = [world.router.clone(), world.second_router()];
    let calls: Vec<_> = (0..AT_ONCE)
        .map(|number| {
            let request = transfer_request(&ada, &format!("k{number}"), &between(&ada, &bola, EACH));
            let call = tower::ServiceExt::oneshot(instances[number % 2].clone(), request);
            tokio::spawn(async move { read(call.await.unwrap()).await })
        })
        .collect();
    let sent = count_sent(calls, "daily_outflow", "2000.00").await;
    // Twelve times 4,000.00 of 50,000.00.
    assert_eq!(sent, A_DAY / EACH);
    assert_eq!(today(&world, &ada).await, sent * EACH);
    assert_eq!(world.peers.book().balance(bola.wallet), WEALTH + sent * EACH);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn new_devices_at_once_never_send_more_than_one_of_them() {
    const AT_ONCE: i64 = 8;
    let world = World::new().await;
    let (ada, bola) = (rich(&world, "Ada"), rich(&world, "Bola"));
    let instances = [world.router.clone(), world.second_router()];
    let bound = world.clock.now();
    let calls: Vec<_> = (0..AT_ONCE)
        .map(|number| {
            let phone = on_device(&world, &ada, bound - TimeDelta::seconds(number));
            let request =
                transfer_request(&phone, &format!("k{number}"), &between(&ada, &bola, NEW_DEVICE / 2));
            let instance = instances[usize::from(number % 2 == 0)].clone();
            let call = tower::ServiceExt::oneshot(instance, request);
            tokio::spawn(async move { read(call.await.unwrap()).await })
        })
        .collect();
    let sent = count_sent(calls, "new_device", "0.00").await;
    assert_eq!((sent, today(&world, &ada).await), (2, NEW_DEVICE));
}

/// How many of the transfers were sent. Each of the others was refused by this limit, with so much left.
async fn count_sent(calls: Vec<JoinHandle<Answer>>, limit: &str, left: &str) -> i64 {
    let mut sent = 0;
    for call in calls {
        let answer = call.await.unwrap();
        if answer.status == StatusCode::CREATED {
            sent += 1;
        } else {
            assert_over(&answer, limit, left);
        }
    }
    sent
}

/// What is left to somebody who begins a transfer of all that new devices may send, by a device and in a day.
async fn begin_on_device(
    executor: impl PgExecutor<'_>,
    sender: Uuid,
    key: &'static str,
    device: DateTime<Utc>,
    day: DateTime<Utc>,
) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar(
        "SELECT over_limit_left FROM claim_transfers(ARRAY[$1::uuid::text], ARRAY[$2], ARRAY[''::bytea],
             ARRAY[gen_random_uuid()], now(), ARRAY[$1::uuid], ARRAY[gen_random_uuid()], ARRAY[$5::bigint],
             ARRAY[$4::timestamptz], ARRAY[$3::timestamptz], 'NGN', ARRAY[NULL::bigint], $5, $3 - interval '1 day', 5, '{}')",
    )
    .bind(sender)
    .bind(key)
    .bind(device)
    .bind(day)
    .bind(NEW_DEVICE)
    .fetch_one(executor)
    .await
}

/// Around midnight two transfers share neither the day nor the device.
#[tokio::test]
async fn two_new_devices_wait_for_each_other_on_two_days_too() {
    let world = World::new().await;
    let (ada, now) = (rich(&world, "Ada").person.id, world.clock.now());
    let mut first = world.pool().begin().await.unwrap();
    assert_eq!(begin_on_device(&mut *first, ada, "k1", now, now).await.unwrap(), None);
    let pool = world.pool().clone();
    let (device, day) = (now + TimeDelta::seconds(1), now + TimeDelta::days(1));
    let second = tokio::spawn(async move { begin_on_device(&pool, ada, "k2", device, day).await });
    wait_for_waiting(&world, 1).await;
    first.commit().await.unwrap();
    assert_eq!(second.await.unwrap().unwrap(), Some(0));
}

/// A statement that begins a transfer of the one and ends one of the other as failed, as two instances come to do crosswise.
async fn begin_and_fail(pool: PgPool, begins: Uuid, fails: Uuid, day: DateTime<Utc>) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "SELECT count(ended) FROM (
             SELECT count(*) AS begun FROM claim_transfers(ARRAY[$1::uuid::text], ARRAY['crosswise'], ARRAY[''::bytea],
                 ARRAY[gen_random_uuid()], now(), ARRAY[$1::uuid], ARRAY[$2::uuid], ARRAY[1::bigint], ARRAY[$3::timestamptz],
                 ARRAY[NULL::timestamptz], 'NGN', ARRAY[NULL::bigint], NULL, NULL, 5, ARRAY[$2::uuid])) AS claims
         CROSS JOIN LATERAL settle_transfers(CASE WHEN claims.begun >= 0 THEN ARRAY[$2::uuid] END, ARRAY['failed'],
             ARRAY['x'], ARRAY['x'], ARRAY[NULL::timestamptz]) AS ended",
    )
    .bind(begins)
    .bind(fails)
    .bind(day)
    .fetch_one(&pool)
    .await
}

async fn wait_for_waiting(world: &World, wanted: i64) {
    let waiting = eventually(async || {
        let query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let waiting: i64 = sqlx::query_scalar(query).fetch_one(world.pool()).await.unwrap();
        (waiting == wanted).then_some(())
    });
    assert!(waiting.await.is_some());
}

#[tokio::test]
async fn two_instances_do_not_wait_for_each_other_in_a_ring() {
    let world = World::new().await;
    let (ada, bola) = (rich(&world, "Ada"), rich(&world, "Bola"));
    world.peers.fail(Fault::Down);
    let mut open = Vec::new();
    for (from, to) in [(&ada, &bola), (&bola, &ada)] {
        world.transfer(from, "k1", &between(from, to, 1_000)).await;
        let query = "SELECT id, outflow_day FROM transactions WHERE from_user_id = $1";
        let query = sqlx::query_as::<_, (Uuid, DateTime<Utc>)>(query).bind(from.person.id);
        open.push(query.fetch_one(world.pool()).await.unwrap());
    }
    let [(of_ada, day), (of_bola, _)] = open[..] else { panic!("two transfers") };
    let mut before_both = world.pool().begin().await.unwrap();
    sqlx::query("SELECT FROM outflow_windows WHERE user_id = $1 FOR UPDATE")
        .bind(bola.person.id)
        .execute(&mut *before_both)
        .await
        .unwrap();
    let first = tokio::spawn(begin_and_fail(world.pool().clone(), bola.person.id, of_ada, day));
    wait_for_waiting(&world, 1).await;
    let second = tokio::spawn(begin_and_fail(world.pool().clone(), ada.person.id, of_bola, day));
    wait_for_waiting(&world, 2).await;
    before_both.rollback().await.unwrap();
    for one in [first, second] {
        assert_eq!(one.await.unwrap().unwrap(), 1);
    }
    assert_eq!((today(&world, &ada).await, today(&world, &bola).await), (1, 1));
}
