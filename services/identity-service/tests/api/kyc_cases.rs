//! `/kyc/cases` and `/kyc`: what the rules decide, against the provider's twin.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    kyc_world::{
        BORN, BVN, NIN, attempted, comes_to_stand, kept, open, opened, photo, stands, tier, tier_three,
        tier_two, twin_is, under_review, upload, world, world_at,
    },
    mailbox::until,
    support::{NOWHERE, World, answer, invalid, refusal},
};

async fn decisions(world: &World) -> Vec<(String, String, String, String, Option<i16>)> {
    sqlx::query_as(
        "SELECT action, to_status, reason, actor_type, name_score FROM kyc_decisions ORDER BY decided_at, id",
    )
    .fetch_all(&world.db.pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn what_fits_is_approved_and_told_once() {
    let (world, _twin, _guard) = world().await;
    let person = world.register(1).await;
    let id = opened(&world, &person, &tier_two(NIN)).await;
    let approved = stands(&world, &person, &id, "approved").await;
    assert_eq!(approved["reason"], "requirements_met");
    assert_eq!(tier(&world, &person).await, 2);

    let changed = world.events("identity.user.tier_changed").await;
    assert_eq!(changed.len(), 1);
    let data = &changed[0]["data"];
    assert_eq!(
        (&data["oldTier"], &data["newTier"], &data["evidence"]),
        (&json!(0), &json!(2), &json!("kyc_case"))
    );
    assert_eq!(world.events("identity.user.verified").await.len(), 1, "an account number can be issued");
    assert_eq!(world.events("identity.kyc.case_submitted").await.len(), 1);
    let decided = world.events("identity.kyc.case_decided").await;
    assert_eq!((decided.len(), &decided[0]["data"]["status"]), (1, &json!("approved")));
    assert_eq!(decided[0]["actor"], "service:identity-service");

    let rows = decisions(&world).await;
    let told = |row: &(String, String, String, String, Option<i16>)| (row.0.clone(), row.3.clone(), row.4);
    assert_eq!(told(&rows[0]), ("open".to_owned(), "user".to_owned(), None));
    assert_eq!(told(&rows[1]), ("approve".to_owned(), "service".to_owned(), Some(100)));
    assert_eq!(rows.len(), 2);

    // What the bank asks for is there, as if the number had been verified by itself.
    let again = world.post_as(&person.access, "/kyc/bvn", &json!({ "bvn": BVN, "dateOfBirth": BORN })).await;
    assert_eq!((again.status, &again.body["user"]["kycTier"]), (200, &json!(2)));
    assert_eq!(world.events("identity.user.verified").await.len(), 1);
}

#[tokio::test]
async fn what_was_verified_before_is_not_asked_for_again() {
    let (world, _twin, _guard) = world().await;
    let person = world.register(1).await;
    let told = json!({ "bvn": BVN, "dateOfBirth": BORN });
    assert_eq!(world.post_as(&person.access, "/kyc/bvn", &told).await.status, 200);
    let only_nin = json!({ "tier": 2, "nin": NIN, "dateOfBirth": BORN });
    let id = opened(&world, &person, &only_nin).await;
    stands(&world, &person, &id, "approved").await;
    assert_eq!(tier(&world, &person).await, 2);
    assert_eq!(world.events("identity.user.verified").await.len(), 1, "the account number was issued before");
    assert_eq!(world.events("identity.user.updated").await.len(), 1);
    let lower = open(&world, &person, &json!({ "tier": 1, "nin": NIN, "dateOfBirth": BORN })).await;
    assert_eq!(lower.code(), refusal(409, "tier_reached"));
    assert_eq!(open(&world, &person, &only_nin).await.code(), refusal(409, "tier_reached"));
}

#[tokio::test]
async fn a_national_number_alone_gives_tier_one_and_no_account_number() {
    let (world, _twin, _guard) = world().await;
    let person = world.register(1).await;
    let id = opened(&world, &person, &json!({ "tier": 1, "nin": NIN, "dateOfBirth": BORN })).await;
    stands(&world, &person, &id, "approved").await;
    assert_eq!(tier(&world, &person).await, 1);
    assert!(world.events("identity.user.verified").await.is_empty(), "the bank has nothing to go by");
    assert_eq!(world.events("identity.user.tier_changed").await.len(), 1);
}

/// By the last digit of the number, as the twin's README has it.
#[tokio::test]
async fn the_rules_decide_by_what_is_found() {
    let (world, _twin, _guard) = world().await;
    for (index, (last, status, reason)) in [
        (1, "approved", "requirements_met"),
        (3, "approved", "requirements_met"),
        (4, "in_review", "partial_match"),
        (5, "in_review", "partial_match"),
        (8, "rejected", "number_not_found"),
        (9, "rejected", "identity_mismatch"),
    ]
    .into_iter()
    .enumerate()
    {
        let person = world.register(u32::try_from(index).unwrap()).await;
        let claims = json!({ "tier": 1, "nin": format!("1113334440{last}"), "dateOfBirth": BORN });
        let id = opened(&world, &person, &claims).await;
        let decided = stands(&world, &person, &id, status).await;
        assert_eq!(decided["reason"], reason, "{last}");
        let reached = i32::from(status == "approved");
        assert_eq!(tier(&world, &person).await, reached, "{last}");
    }
    for (index, (last, reason)) in [(9, "identity_mismatch"), (8, "number_not_found")].into_iter().enumerate()
    {
        let person = world.register(10 + u32::try_from(index).unwrap()).await;
        let claims = json!({ "tier": 1, "bvn": format!("2223334440{last}"), "dateOfBirth": BORN });
        let id = opened(&world, &person, &claims).await;
        assert_eq!(stands(&world, &person, &id, "rejected").await["reason"], reason);
        assert_eq!(opened(&world, &person, &tier_two(NIN)).await.len(), 36, "another application is free");
    }
}

#[tokio::test]
async fn while_the_provider_is_away_a_case_waits_and_nothing_is_lost() {
    let (world, twin, _guard) = world().await;
    let person = world.register(1).await;
    twin_is(&twin, "down").await;
    let id = opened(&world, &person, &tier_two(NIN)).await;
    attempted(&world, &id).await;
    assert_eq!(kept(&world, &id).await.0, "submitted");
    twin_is(&twin, "up").await;
    assert_eq!(comes_to_stand(&world, &id, "approved").await, "requirements_met");
}

#[tokio::test]
async fn a_provider_that_stays_away_leaves_it_to_people() {
    let world = world_at(NOWHERE).await;
    let person = world.register(1).await;
    let id = opened(&world, &person, &tier_two(NIN)).await;
    // But the last of many attempts.
    until("an attempt", async || {
        let tried =
            "UPDATE kyc_cases SET attempts = 15 WHERE attempts > 0 AND next_check_at < $1::timestamptz";
        let soon = "2026-03-01T12:02:00Z";
        let done = sqlx::query(tried).bind(soon).execute(&world.db.pool).await.unwrap();
        (done.rows_affected() == 1).then_some(())
    })
    .await;
    assert_eq!(comes_to_stand(&world, &id, "in_review").await, "provider_unavailable");
    let tier: i16 = sqlx::query_scalar("SELECT kyc_tier FROM users").fetch_one(&world.db.pool).await.unwrap();
    assert_eq!(tier, 0);
}

#[tokio::test]
async fn one_case_a_tier_is_open_and_a_repeated_call_is_the_first_one() {
    let (world, _twin, _guard) = world().await;
    let person = world.register(1).await;
    let with_key = async |key: &str, body: &Value| {
        let request = world.request(Method::POST, "/api/v1/identity/kyc/cases").bearer_auth(&person.access);
        answer(request.header("idempotency-key", key).json(body)).await
    };
    let application = tier_three(BVN, NIN);
    let first = with_key("one", &application).await;
    assert_eq!(first.status, 201, "{first:?}");
    let again = with_key("one", &application).await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(again.headers["idempotent-replayed"], "true");
    let other = tier_three(BVN, "11133344452");
    assert_eq!(with_key("one", &other).await.code(), refusal(422, "idempotency_key_reused"));
    assert_eq!(with_key("two", &application).await.code(), refusal(409, "case_open"));

    let at_once = world.register(2).await;
    let claims = tier_three("22233344461", "11133344461");
    let answers = futures::future::join_all((0..5).map(|_| open(&world, &at_once, &claims))).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409]);
}

#[tokio::test]
async fn nobody_tries_out_numbers() {
    let (world, _twin, _guard) = world().await;
    let person = world.register(1).await;
    for last in 0..5 {
        let claims = json!({ "tier": 1, "nin": format!("111333444{last}9"), "dateOfBirth": BORN });
        let id = opened(&world, &person, &claims).await;
        stands(&world, &person, &id, "rejected").await;
    }
    let refused = open(&world, &person, &tier_two(NIN)).await;
    assert_eq!(refused.code(), refusal(429, "too_many_attempts"));
    assert!(refused.headers["retry-after"].to_str().unwrap().parse::<u32>().unwrap() > 80_000);
}

#[tokio::test]
async fn a_number_is_one_persons() {
    let (world, _twin, _guard) = world().await;
    let (first, second) = (world.register(1).await, world.register(2).await);
    let id = opened(&world, &first, &tier_two(NIN)).await;
    stands(&world, &first, &id, "approved").await;
    let id = opened(&world, &second, &json!({ "tier": 1, "nin": NIN, "dateOfBirth": BORN })).await;
    assert_eq!(stands(&world, &second, &id, "rejected").await["reason"], "number_taken");
    assert_eq!(tier(&world, &second).await, 0);
    // And one person's only one.
    let mut other = tier_three(BVN, "11133344499");
    assert_eq!(open(&world, &first, &other).await.code(), refusal(409, "conflict"));
    other = tier_three("22233344400", NIN);
    assert_eq!(open(&world, &first, &other).await.code(), refusal(409, "conflict"));
    other = tier_three(BVN, NIN);
    other["dateOfBirth"] = json!("1991-01-31");
    assert_eq!(open(&world, &first, &other).await.code(), refusal(409, "conflict"));
}

#[tokio::test]
async fn names_that_change_meanwhile_are_not_verified() {
    let (world, _twin, _guard) = world().await;
    let person = world.register(1).await;
    let id = opened(&world, &person, &tier_three(BVN, NIN)).await;
    stands(&world, &person, &id, "more_needed").await;
    let renamed = world.request(Method::PATCH, "/api/v1/identity/me").bearer_auth(&person.access);
    assert_eq!(answer(renamed.json(&json!({ "firstName": "Bola" }))).await.status, 200);
    upload(&world, &person, &id, ("address_document", "image/jpeg"), photo("bill")).await;
    assert_eq!(stands(&world, &person, &id, "rejected").await["reason"], "names_changed");
    assert_eq!(tier(&world, &person).await, 0);
}

#[tokio::test]
async fn who_does_not_answer_lets_the_case_expire() {
    let (world, twin, _guard) = world().await;
    let person = world.register(1).await;
    let id = opened(&world, &person, &tier_three(BVN, NIN)).await;
    let asked = stands(&world, &person, &id, "more_needed").await;
    assert_eq!(
        (&asked["reason"], &asked["askedFor"]),
        (&json!("evidence_missing"), &json!(["address_document"]))
    );
    assert_eq!(asked["answerBy"], "2026-03-31T12:00:00Z");
    world.advance(31 * 24 * 3600);
    assert_eq!(comes_to_stand(&world, &id, "expired").await, "not_answered");
    let told = async || {
        let url = format!("{twin}/twin/messages?to={}", person.email);
        let text = reqwest::get(url).await.unwrap().text().await.unwrap();
        text.contains("we need something more").then_some(())
    };
    until("the message", told).await;
}

#[tokio::test]
async fn what_is_wrong_with_an_application_is_named() {
    let (world, _twin, _guard) = world().await;
    let person = world.register(1).await;
    let problem = async |body: Value| open(&world, &person, &body).await.problem();
    for (field, value, wrong, code) in [
        ("bvn", json!("123"), "bvn", "invalid"),
        ("nin", json!("1113334445x"), "nin", "invalid"),
        ("dateOfBirth", json!("1990-02-31"), "dateOfBirth", "invalid"),
        ("dateOfBirth", json!("2020-01-01"), "dateOfBirth", "too_young"),
        ("tier", json!(4), "tier", "out_of_range"),
        ("tier", json!("2"), "tier", "wrong_type"),
        ("country", json!("XX"), "country", "unknown"),
        ("passport", json!("1"), "passport", "unknown_field"),
        ("nin", Value::Null, "nin", "required"),
        ("bvn", Value::Null, "bvn", "required"),
        ("address", Value::Null, "address", "required"),
    ] {
        let mut body = tier_three(BVN, NIN);
        body[field] = value;
        assert_eq!(problem(body).await, invalid(wrong, code), "{field}");
    }
    let mut body = tier_three(BVN, NIN);
    body["address"]["city"] = json!(" ");
    assert_eq!(problem(body).await, invalid("address.city", "invalid"));
    let anonymous = world.post("/kyc/cases", &tier_two(NIN)).await;
    assert_eq!(anonymous.code(), refusal(401, "unauthenticated"));
    sqlx::query("UPDATE users SET status = 'suspended'").execute(&world.db.pool).await.unwrap();
    assert_eq!(open(&world, &person, &tier_two(NIN)).await.code(), refusal(403, "forbidden"));
    let cases: i64 =
        sqlx::query_scalar("SELECT count(*) FROM kyc_cases").fetch_one(&world.db.pool).await.unwrap();
    assert_eq!(cases, 0);
}

#[tokio::test]
async fn cases_are_listed_to_their_owner_alone() {
    let (world, _twin, _guard) = world().await;
    let (owner, stranger) = (world.register(1).await, world.register(2).await);
    let claims = json!({ "tier": 1, "nin": "11133344459", "dateOfBirth": BORN });
    let first = opened(&world, &owner, &claims).await;
    stands(&world, &owner, &first, "rejected").await;
    let second = under_review(&world, &owner, BVN, NIN).await;
    let list = async |query: &str, token: &str| {
        world.get(&format!("/api/v1/identity/kyc/cases{query}"), Some(token)).await.body
    };
    let page = list("?limit=1", &owner.access).await;
    assert_eq!((page["items"].as_array().unwrap().len(), &page["items"][0]["id"]), (1, &json!(second)));
    assert_eq!(page["items"][0]["documents"][0]["kind"], "address_document");
    let next = list(&format!("?cursor={}", page["nextCursor"].as_str().unwrap()), &owner.access).await;
    assert_eq!((&next["items"][0]["id"], &next["nextCursor"]), (&json!(first), &Value::Null));
    assert_eq!(list("", &stranger.access).await["items"], json!([]));
    let path = format!("/api/v1/identity/kyc/cases/{first}");
    assert_eq!(world.get(&path, Some(&stranger.access)).await.code(), refusal(404, "not_found"));
    assert_eq!(list("?limit=0", &owner.access).await["code"], "validation_failed");
}

#[tokio::test]
async fn everybody_sees_what_a_tier_needs_and_allows() {
    let (world, _twin, _guard) = world().await;
    let person = world.register(1).await;
    let standing = world.get("/api/v1/identity/kyc", Some(&person.access)).await.body;
    assert_eq!((&standing["tier"], &standing["validUntil"]), (&json!(0), &Value::Null));
    let first = &standing["tiers"][0];
    assert_eq!(first["requires"], json!([["bvn", "nin"]]));
    assert_eq!(
        first["limits"],
        json!({ "currency": "NGN", "singleDeposit": 5_000_000, "maxBalance": 30_000_000, "dailyOutflow": 5_000_000 })
    );
    assert_eq!(standing["tiers"][2]["limits"]["maxBalance"], Value::Null);
    let id = opened(&world, &person, &tier_two(NIN)).await;
    stands(&world, &person, &id, "approved").await;
    let standing = world.get("/api/v1/identity/kyc", Some(&person.access)).await.body;
    assert_eq!((&standing["tier"], &standing["validUntil"]), (&json!(2), &json!("2029-03-01T12:00:00Z")));
}
