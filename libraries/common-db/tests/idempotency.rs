//! Keys on a real Postgres: claimed one by one, as a batch, and by two batches at the same time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on must fail"
)]

use axum::http::HeaderMap;
use common_db::{
    PgPool,
    idempotency::{self, Claim, ClaimColumns, HEADER, IdempotencyKey, KnownKey, NewClaim, RequestHash},
    migrate::Migrations,
    testing::TestDb,
};
use common_utils::{
    clock::{Clock, SystemClock},
    ids,
};
use uuid::Uuid;

fn key(name: &str) -> IdempotencyKey {
    let mut headers = HeaderMap::new();
    headers.insert(HEADER, name.parse().unwrap());
    IdempotencyKey::required(&headers).unwrap()
}

/// Claims these (caller, key, content) as one batch.
async fn claim(pool: &PgPool, wanted: &[(&str, &str, &str)]) -> Vec<(Claim, Uuid)> {
    let parts: Vec<_> = wanted
        .iter()
        .map(|(_, name, content)| (key(name), RequestHash::of("test", content).unwrap(), ids::new_id()))
        .collect();
    let claims: Vec<NewClaim<'_>> = parts
        .iter()
        .zip(wanted)
        .map(|((key, hash, id), (caller, ..))| NewClaim { caller, key, hash, resource_id: *id })
        .collect();
    let columns = ClaimColumns::of(&claims);
    let mut connection = pool.acquire().await.unwrap();
    let fresh: Vec<Uuid> = sqlx::query_scalar("SELECT idempotency_claim($1, $2, $3, $4, $5)")
        .bind(&columns.callers)
        .bind(&columns.keys)
        .bind(&columns.hashes)
        .bind(&columns.resources)
        .bind(SystemClock.now())
        .fetch_all(&mut *connection)
        .await
        .unwrap();
    let answers = idempotency::answers(&mut connection, &claims, fresh.len()).await.unwrap();
    answers.into_iter().zip(parts.iter().map(|(_, _, id)| *id)).collect()
}

fn known(id: Uuid) -> Claim {
    Claim::Known(KnownKey { resource_id: Some(id), response: None })
}

#[tokio::test]
async fn a_batch_is_answered_in_its_order() {
    let db = TestDb::create("common", &Migrations::common()).await;
    let first = claim(&db.pool, &[("ada", "k1", "x")]).await;
    assert_eq!(first[0].0, Claim::Fresh);

    let batch = [
        ("bola", "k2", "y"),
        ("ada", "k1", "x"),
        ("ada", "k1", "other"),
        ("bola", "k1", "x"),
        ("bola", "k2", "y"),
    ];
    let answers = claim(&db.pool, &batch).await;
    assert_eq!(answers[1].0, known(first[0].1));
    assert_eq!(answers[2].0, Claim::Mismatch);
    assert_eq!(answers[3].0, Claim::Fresh, "keys are their caller's own");
    // Of the two claims of one new key, one made it.
    let (one, two) = (&answers[0], &answers[4]);
    let fresh = [one, two].into_iter().find(|answer| answer.0 == Claim::Fresh).unwrap();
    let other = [one, two].into_iter().find(|answer| answer.0 != Claim::Fresh).unwrap();
    assert_eq!(other.0, known(fresh.1));
}

#[tokio::test]
async fn a_look_up_claims_nothing() {
    let db = TestDb::create("common", &Migrations::common()).await;
    let hash = |content: &str| RequestHash::of("test", &content).unwrap();
    let find =
        async |content: &str| idempotency::find(&db.pool, "ada", &key("k1"), &hash(content)).await.unwrap();
    assert_eq!(find("x").await, None);
    let claimed = claim(&db.pool, &[("ada", "k1", "x")]).await;
    assert_eq!(claimed[0].0, Claim::Fresh);
    assert_eq!(find("x").await, Some(known(claimed[0].1)));
    assert_eq!(find("other").await, Some(Claim::Mismatch));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn batches_with_the_same_keys_do_not_deadlock() {
    let db = TestDb::create("common", &Migrations::common()).await;
    let names: Vec<String> = (0..20).map(|number| format!("k{number}")).collect();
    let batches: Vec<_> = (0..8)
        .map(|turn| {
            let (pool, mut names) = (db.pool.clone(), names.clone());
            if turn % 2 == 1 {
                names.reverse();
            }
            tokio::spawn(async move {
                let wanted: Vec<_> = names.iter().map(|name| ("ada", name.as_str(), "x")).collect();
                claim(&pool, &wanted).await
            })
        })
        .collect();
    let mut fresh = 0;
    for batch in batches {
        fresh += batch.await.unwrap().iter().filter(|(claim, _)| *claim == Claim::Fresh).count();
    }
    assert_eq!(fresh, 20);
}
