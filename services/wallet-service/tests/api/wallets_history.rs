//! Balances, now and at a time, and entries, page by page.

use chrono::TimeDelta;
use common_utils::{
    clock::Clock,
    ids::{self, UserId, WalletId},
};
use serde_json::{Value, json};

use crate::support::{World, leg, of, posting, transfer};

fn path(wallet: WalletId, rest: &str) -> String {
    format!("/api/v1/wallet/wallets/{wallet}{rest}")
}

/// Five entries of Ada's, an hour apart, the first at noon: +100, −10, −20, +5, −5.
async fn history() -> (World, UserId, WalletId) {
    let world = World::open().await;
    let (user, ada) = world.person_with(100).await;
    let (_, bola) = world.person_with(0).await;
    for (from, to, amount) in [(ada, bola, 10), (ada, bola, 20), (bola, ada, 5), (ada, bola, 5)] {
        world.clock.advance(TimeDelta::minutes(30));
        world.post_one(transfer(from, to, amount)).await;
    }
    // Access tokens last 15 minutes, and are made when they are needed.
    (world, user, ada)
}

async fn posted(world: &World, user: UserId, wallet: WalletId, at: &str) -> Value {
    let answer = world.get(user, &path(wallet, &format!("/balance?at={at}"))).await;
    assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
    answer.body["posted"].clone()
}

#[tokio::test]
async fn a_balance_can_be_asked_for_at_any_time_that_has_passed() {
    let (world, user, ada) = history().await;
    for (at, expected) in [
        ("2020-01-01T00:00:00Z", 0),
        ("2026-01-01T11:59:59.999999Z", 0),
        ("2026-01-01T12:00:00Z", 100),
        ("2026-01-01T12:29:59.999999Z", 100),
        ("2026-01-01T12:30:00Z", 90),
        ("2026-01-01T13:00:00Z", 70),
        ("2026-01-01T13:30:00Z", 75),
        ("2026-01-01T14:30:00%2B01:00", 75),
        ("2026-01-01T14:00:00Z", 70),
    ] {
        assert_eq!(posted(&world, user, ada, at).await, expected, "{at}");
    }
    let now = world.get(user, &path(ada, "/balance")).await;
    let expected = json!({ "currency": "NGN", "posted": 70, "held": 0, "available": 70, "asOf": "2026-01-01T14:00:00Z" });
    assert_eq!(now.body, expected);
    for at in
        ["2026-01-01T14:00:01Z", "+262142-01-01T00:00:00Z", "%2B262142-01-01T00:00:00Z", "yesterday", "0", ""]
    {
        let answer = world.get(user, &path(ada, &format!("/balance?at={at}"))).await;
        assert_eq!((answer.refusal(), answer.fields()), ((422, "validation_failed"), vec!["at"]), "{at}");
    }
    assert_eq!(posted(&world, user, ada, "-262142-01-01T00:00:00Z").await, 0);
}

#[tokio::test]
async fn what_was_held_then_is_told_with_the_balance() {
    let (world, user, ada) = history().await;
    for (amount, from, until) in [(30, "12:15", Some("12:45")), (7, "13:15", None)] {
        let hold = ids::new_id();
        let closed = until.map_or("NULL".to_owned(), |until| format!("'2026-01-01T{until}:00Z'"));
        let status = if until.is_some() { "released" } else { "held" };
        let statement = format!(
            "INSERT INTO holds VALUES ('{hold}', '{ada}', {amount}, 0, '{status}', '2027-01-01Z',
                                       '2026-01-01T{from}:00Z', {closed});
             INSERT INTO postings (id, content_hash, type, outcome, posted_at, hold_id)
             SELECT '{hold}'::uuid, ''::bytea, 'hold', 'posted', '2026-01-01T{from}:00Z'::timestamptz, NULL::uuid
             UNION ALL SELECT gen_random_uuid(), '', 'release', 'posted', {closed}, '{hold}' WHERE '{status}' = 'released'"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&world.db.pool).await.unwrap();
    }
    sqlx::query("UPDATE balances SET held = 7 WHERE account_id = $1")
        .bind(ada.uuid())
        .execute(&world.db.pool)
        .await
        .unwrap();
    for (at, expected) in
        [("12:00", (100, 0, 100)), ("12:30", (90, 30, 60)), ("13:00", (70, 0, 70)), ("13:30", (75, 7, 68))]
    {
        let body = world.get(user, &path(ada, &format!("/balance?at=2026-01-01T{at}:00Z"))).await.body;
        let found = (body["posted"].as_i64(), body["held"].as_i64(), body["available"].as_i64());
        assert_eq!(found, (Some(expected.0), Some(expected.1), Some(expected.2)), "{at}");
    }
    assert_eq!(world.get(user, &path(ada, "/balance")).await.body["available"], 63);
    // What is held cannot leave.
    let refused = world.post_one(transfer(ada, world.person_with(0).await.1, 64)).await;
    assert_eq!(refused.outcome.refusal().unwrap().missing, Some(1));
    world.verify().await;
}

async fn pages(world: &World, user: UserId, wallet: WalletId, query: &str) -> Vec<Vec<i64>> {
    let mut pages = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let after = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page = world.get(user, &path(wallet, &format!("/entries?{query}{after}"))).await;
        let items = page.body["items"].as_array().unwrap();
        pages.push(items.iter().map(|entry| entry["sequence"].as_i64().unwrap()).collect());
        cursor = page.body["nextCursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return pages;
        }
    }
}

#[tokio::test]
async fn entries_come_in_either_direction() {
    let (world, user, ada) = history().await;
    assert_eq!(pages(&world, user, ada, "limit=2").await, [vec![5, 4], vec![3, 2], vec![1]]);
    assert_eq!(pages(&world, user, ada, "limit=2&order=desc").await, [vec![5, 4], vec![3, 2], vec![1]]);
    assert_eq!(pages(&world, user, ada, "limit=3&order=asc").await, [vec![1, 2, 3], vec![4, 5]]);
    assert_eq!(pages(&world, user, ada, "").await, [vec![5, 4, 3, 2, 1]]);
    let body = world.get(user, &path(ada, "/entries?limit=1")).await.body;
    let entry = &body["items"][0];
    let expected = json!({
        "id": entry["id"], "sequence": 5, "direction": "debit", "amount": { "amount": 5, "currency": "NGN" },
        "balanceAfter": 70, "transactionId": entry["transactionId"], "description": "Lunch",
        "createdAt": "2026-01-01T14:00:00Z"
    });
    assert_eq!(*entry, expected);
}

#[tokio::test]
async fn a_new_entry_does_not_shift_the_pages() {
    let (world, user, ada) = history().await;
    let first = world.get(user, &path(ada, "/entries?limit=2")).await;
    world.fund(ada, 1).await;
    let cursor = first.body["nextCursor"].as_str().unwrap();
    let second = world.get(user, &path(ada, &format!("/entries?limit=2&cursor={cursor}"))).await;
    assert_eq!(second.body["items"][0]["sequence"], 3);
}

#[tokio::test]
async fn queries_that_do_not_fit_are_named() {
    let (world, user, ada) = history().await;
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        ("order=random", "order"),
        ("cursor=x", "cursor"),
        // 9223372036854775808, one too large
        ("cursor=OTIyMzM3MjAzNjg1NDc3NTgwOA", "cursor"),
        ("at=2026-01-01T12:00:00Z", "at"),
    ] {
        let answer = world.get(user, &path(ada, &format!("/entries?{query}"))).await;
        assert_eq!((answer.refusal(), answer.fields()), ((422, "validation_failed"), vec![field]), "{query}");
    }
    // The ends of what a cursor can say: 9223372036854775807 and -9223372036854775808.
    for (cursor, order, found) in [
        ("OTIyMzM3MjAzNjg1NDc3NTgwNw", "asc", 0),
        ("OTIyMzM3MjAzNjg1NDc3NTgwNw", "desc", 5),
        ("LTkyMjMzNzIwMzY4NTQ3NzU4MDg", "asc", 5),
        ("LTkyMjMzNzIwMzY4NTQ3NzU4MDg", "desc", 0),
    ] {
        let page = world.get(user, &path(ada, &format!("/entries?order={order}&cursor={cursor}"))).await;
        assert_eq!(page.body["items"].as_array().unwrap().len(), found, "{order} {cursor}");
    }
}

#[tokio::test]
async fn a_clock_that_steps_back_does_not_confuse_the_balance_at_a_time() {
    let (world, user, ada) = history().await;
    world.clock.advance(TimeDelta::hours(-3));
    let settlement =
        || "provider_settlement:providus".parse().map(wallet_service::ledger::AccountRef::Platform);
    let result = world.post_one(posting(vec![leg(settlement().unwrap(), of(ada), 1)])).await;
    assert_eq!(result.posted_at, "2026-01-01T14:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap());
    world.clock.advance(TimeDelta::hours(4));
    assert!(world.clock.now() > result.posted_at);
    assert_eq!(posted(&world, user, ada, "2026-01-01T13:30:00Z").await, 75);
    assert_eq!(posted(&world, user, ada, "2026-01-01T14:00:00Z").await, 71);
    world.verify().await;
}
