//! For how long a tier holds: reminding, grace, falling, and verifying anew.

use serde_json::json;

use crate::{
    kyc_world::{
        BORN, BVN, NIN, attempted, comes_to_stand, kept, open, opened, signed_in, stands, tier_two, twin_is,
        world,
    },
    mailbox::until,
    support::{Person, World, invalid, refusal},
};

const DAY: i64 = 24 * 3600;
/// Tier two holds until 2029-03-01.
const TO_REMINDER: i64 = (365 * 3 - 30 + 1) * DAY;

async fn tier_of(world: &World, person: &Person) -> i16 {
    sqlx::query_scalar("SELECT kyc_tier FROM users WHERE id = $1::uuid")
        .bind(&person.id)
        .fetch_one(&world.db.pool)
        .await
        .unwrap()
}

/// As if they had been verified years before, by somebody's case.
async fn lapsed_long_ago(world: &World, person: &Person) {
    // In this order: the worker may look between.
    for change in [
        "UPDATE users SET kyc_tier = 3 WHERE id = $1::uuid",
        "INSERT INTO kyc_validity (user_id, tier, case_id, verified_at, remind_at, valid_until, lapses_at, reminded_at)
         SELECT $1::uuid, 3, id, '2020-01-01Z', '2021-01-01Z', '2021-01-01Z', '2021-01-01Z', '2021-01-01Z'
         FROM kyc_cases LIMIT 1",
    ] {
        sqlx::query(change).bind(&person.id).execute(&world.db.pool).await.unwrap();
    }
}

async fn messages(twin: &str, to: &str) -> String {
    reqwest::get(format!("{twin}/twin/messages?to={to}")).await.unwrap().text().await.unwrap()
}

async fn said(twin: &str, to: &str, words: &str) {
    until(words, async || messages(twin, to).await.contains(words).then_some(())).await;
}

#[tokio::test]
async fn who_is_not_verified_again_is_reminded_and_then_falls() {
    let (world, twin, _guard) = world().await;
    let person = world.register(1).await;
    let id = opened(&world, &person, &tier_two(NIN)).await;
    stands(&world, &person, &id, "approved").await;

    world.advance(TO_REMINDER);
    said(&twin, &person.email, "until 2029-03-01").await;
    assert_eq!(tier_of(&world, &person).await, 2);

    // The date, and the time of grace.
    world.advance(60 * DAY);
    said(&twin, &person.email, "tier 2 has become tier 1").await;
    assert_eq!(tier_of(&world, &person).await, 1, "the bank verification number does not age");
    let changes = world.events("identity.user.tier_changed").await;
    let last = &changes.last().unwrap()["data"];
    assert_eq!((changes.len(), &last["newTier"], &last["evidence"]), (2, &json!(1), &json!("expired")));
    let updated = world.events("identity.user.updated").await;
    assert_eq!(updated.last().unwrap()["data"]["kycTier"], 1, "tokens that say more are refused by it");
    assert_eq!(messages(&twin, &person.email).await.matches("until 2029-03-01").count(), 1, "reminded once");
    let person = signed_in(&world, &person).await;
    let nothing_new = json!({ "tier": 2, "dateOfBirth": BORN });
    assert_eq!(open(&world, &person, &nothing_new).await.problem(), invalid("bvn", "required"));
}

/// Whatever is wrong with one person's rows, others are reminded and fall.
#[tokio::test]
async fn ones_trouble_keeps_nobody_waiting() {
    let (world, twin, _guard) = world().await;
    let (first, second) = (world.register(1).await, world.register(2).await);
    let troubled = opened(&world, &first, &tier_two(NIN)).await;
    stands(&world, &first, &troubled, "approved").await;
    let claims = json!({ "tier": 2, "bvn": "22233344461", "nin": "11133344461", "dateOfBirth": BORN });
    let id = opened(&world, &second, &claims).await;
    stands(&world, &second, &id, "approved").await;
    world.fails_for("kyc_validity", &first).await;
    world.advance(TO_REMINDER);
    said(&twin, &second.email, "until 2029-03-01").await;
    world.advance(60 * DAY);
    said(&twin, &second.email, "tier 2 has become tier 1").await;
    assert_eq!((tier_of(&world, &first).await, tier_of(&world, &second).await), (2, 1));
}

#[tokio::test]
async fn who_is_verified_again_in_time_keeps_the_tier() {
    let (world, twin, _guard) = world().await;
    let person = world.register(1).await;
    let id = opened(&world, &person, &tier_two(NIN)).await;
    stands(&world, &person, &id, "approved").await;
    let early = open(&world, &person, &tier_two(NIN)).await;
    assert_eq!(early.code(), refusal(409, "tier_reached"));

    world.advance(TO_REMINDER);
    let person = signed_in(&world, &person).await;
    let nothing_new = json!({ "tier": 2, "dateOfBirth": BORN, "bvn": BVN });
    assert_eq!(open(&world, &person, &nothing_new).await.problem(), invalid("nin", "required"));
    // Verified anew is looked up anew.
    twin_is(&twin, "down").await;
    let id = opened(&world, &person, &tier_two(NIN)).await;
    attempted(&world, &id).await;
    assert_eq!(kept(&world, &id).await.0, "submitted");
    twin_is(&twin, "up").await;
    comes_to_stand(&world, &id, "approved").await;
    let anew: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM bvn_verifications JOIN nin_verifications AS nin USING (user_id)
         WHERE nin.verified_at > '2029-01-01Z' AND bvn_verifications.verified_at > '2029-01-01Z'",
    )
    .fetch_one(&world.db.pool)
    .await
    .unwrap();
    assert_eq!(anew, 1);
    world.advance(90 * DAY);
    // Somebody else, whose tier lapses in the same round, tells that the round has been.
    let other = world.register(2).await;
    lapsed_long_ago(&world, &other).await;
    until("a round", async || (tier_of(&world, &other).await == 0).then_some(())).await;
    let person = signed_in(&world, &person).await;
    let standing = world.get("/api/v1/identity/kyc", Some(&person.access)).await.body;
    assert_eq!((&standing["tier"], &standing["validUntil"].as_str().unwrap()[..7]), (&json!(2), "2032-01"));
    let changes = world.events("identity.user.tier_changed").await;
    assert_eq!(changes.iter().filter(|change| change["data"]["userId"] == person.id).count(), 1);
}
