//! `POST /kyc/bvn`, against the provider's twin, whose answer the last digit of the number decides.

use std::time::Duration;

use common_utils::http_client::BreakerConfig;
use identity_service::HttpKycConfig;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::support::{Answer, NOWHERE, Person, World, invalid, kyc_at, refusal};

const MATCHING: &str = "22233344451";
const BORN: &str = "1990-01-31";
pub(crate) const KMS_TOKEN: &str = "kms-token-of-the-tests";

/// A world with a twin, which ends with the guard.
async fn world() -> (World, tokio_util::sync::DropGuard) {
    let (address, guard) = twin().await;
    (World::with_kyc(kyc_at(&address)).await, guard)
}

pub(crate) async fn twin() -> (String, tokio_util::sync::DropGuard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let config = provider_twin::Config {
        kyc_slow: Duration::from_secs(30),
        kms_token: Some(KMS_TOKEN.into()),
        ..provider_twin::Config::new("sk_sandbox_test", "webhook-secret", "kyc-key-of-the-tests")
    };
    let stop = CancellationToken::new();
    tokio::spawn(provider_twin::run(listener, config, stop.clone()));
    (address, stop.drop_guard())
}

async fn verify(world: &World, person: &Person, bvn: &str) -> Answer {
    world.post_as(&person.access, "/kyc/bvn", &json!({ "bvn": bvn, "dateOfBirth": BORN })).await
}

async fn nothing_stored(world: &World) {
    let rows: i64 =
        sqlx::query_scalar("SELECT count(*) FROM bvn_verifications").fetch_one(&world.db.pool).await.unwrap();
    assert_eq!(rows, 0);
    assert!(world.events("identity.user.verified").await.is_empty());
    assert!(world.events("identity.user.tier_changed").await.is_empty());
}

/// Whoever may try birthdays without end finds the one of a number.
#[tokio::test]
async fn a_number_is_checked_ten_times_a_day() {
    let (world, _twin) = world().await;
    let person = world.register(1).await;
    for day in 1..=10 {
        let wrong = json!({ "bvn": "22222222229", "dateOfBirth": format!("1990-01-{day:02}") });
        let refused = world.post_as(&person.access, "/kyc/bvn", &wrong).await;
        assert_eq!(refused.code(), refusal(422, "kyc_mismatch"));
    }
    let right = json!({ "bvn": "22222222221", "dateOfBirth": "1990-01-31" });
    let refused = world.post_as(&person.access, "/kyc/bvn", &right).await;
    assert_eq!(refused.code(), refusal(429, "rate_limited"));
}

#[tokio::test]
async fn a_match_gives_tier_one_and_is_told_once() {
    let (world, _twin) = world().await;
    let person = world.register(1).await;
    let verified = verify(&world, &person, MATCHING).await;
    assert_eq!((verified.status, &verified.body["user"]["kycTier"]), (200, &json!(1)));
    assert_eq!(verify(&world, &person, MATCHING).await.body, verified.body);
    assert_eq!(verify(&world, &person, "22233344452").await.code(), refusal(409, "conflict"));
    let events = world.events("identity.user.verified").await;
    assert_eq!(events.len(), 1);
    assert_eq!((&events[0]["data"]["userId"], &events[0]["data"]["kycTier"]), (&json!(person.id), &json!(1)));
    let changes = world.events("identity.user.tier_changed").await;
    assert_eq!(changes.len(), 1);
    let told = json!({
        "userId": person.id, "oldTier": 0, "newTier": 1, "evidence": "bank_verification_number",
        "changedAt": events[0]["time"],
    });
    assert_eq!(changes[0]["data"], told, "and nothing by which a person is known");

    // The next access token carries the tier.
    let refreshed = world.refresh(&person.refresh).await;
    let access = refreshed.body["tokens"]["accessToken"].as_str().unwrap();
    assert_eq!(world.me(access).await.body, verified.body);
}

#[tokio::test]
async fn a_tier_that_was_reached_before_is_verified_and_does_not_change() {
    let (world, _twin) = world().await;
    let person = world.register(1).await;
    sqlx::query("UPDATE users SET kyc_tier = 2").execute(&world.db.pool).await.unwrap();
    let verified = verify(&world, &person, MATCHING).await;
    assert_eq!((verified.status, &verified.body["user"]["kycTier"]), (200, &json!(2)));
    assert_eq!(world.events("identity.user.verified").await.len(), 1);
    assert!(world.events("identity.user.tier_changed").await.is_empty());
}

#[tokio::test]
async fn mismatch_and_not_found_have_their_answers() {
    let (world, _twin) = world().await;
    let person = world.register(1).await;
    assert_eq!(verify(&world, &person, "22233344459").await.code(), refusal(422, "kyc_mismatch"));
    assert_eq!(verify(&world, &person, "22233344458").await.code(), refusal(422, "kyc_not_found"));
    nothing_stored(&world).await;
    assert_eq!(verify(&world, &person, MATCHING).await.status, 200, "another try is free");
}

#[tokio::test]
async fn slow_and_failing_checks_can_be_tried_again() {
    let (world, _twin) = world().await;
    let person = world.register(1).await;
    for bvn in ["22233344457", "22233344456"] {
        let unavailable = verify(&world, &person, bvn).await;
        assert_eq!(unavailable.code(), refusal(503, "dependency_unavailable"), "{bvn}");
        assert_eq!(unavailable.headers["retry-after"], "2");
        nothing_stored(&world).await;
    }
    assert_eq!(verify(&world, &person, "22233344456").await.status, 200, "fails once, matches then");
}

#[tokio::test]
async fn without_the_provider_nothing_is_verified() {
    let world = World::with_kyc(kyc_at(NOWHERE)).await;
    let person = world.register(1).await;
    assert_eq!(verify(&world, &person, MATCHING).await.code(), refusal(503, "dependency_unavailable"));
    nothing_stored(&world).await;
}

#[tokio::test]
async fn a_wrong_key_is_our_trouble_and_not_the_persons() {
    let (address, _twin) = twin().await;
    let world = World::with_kyc(HttpKycConfig { api_key: None, ..kyc_at(&address) }).await;
    let person = world.register(1).await;
    assert_eq!(verify(&world, &person, MATCHING).await.code(), refusal(503, "dependency_unavailable"));
    nothing_stored(&world).await;
}

#[tokio::test]
async fn a_provider_that_fails_again_and_again_is_left_alone() {
    let (address, _twin) = twin().await;
    let breaker = BreakerConfig { failures: 2, pause: Duration::from_hours(1) };
    let world = World::with_kyc(HttpKycConfig { breaker, ..kyc_at(&address) }).await;
    let person = world.register(1).await;
    for bvn in ["22233344446", "22233344456", MATCHING] {
        assert_eq!(
            verify(&world, &person, bvn).await.code(),
            refusal(503, "dependency_unavailable"),
            "{bvn}"
        );
    }
    nothing_stored(&world).await;
}

#[tokio::test]
async fn a_number_belongs_to_one_person() {
    let (world, _twin) = world().await;
    let (first, second) = (world.register(1).await, world.register(2).await);
    assert_eq!(verify(&world, &first, MATCHING).await.status, 200);
    assert_eq!(verify(&world, &second, MATCHING).await.code(), refusal(409, "bvn_taken"));
    assert_eq!(world.me(&second.access).await.body["user"]["kycTier"], 0);
    assert_eq!(world.events("identity.user.verified").await.len(), 1);
    assert_eq!(verify(&world, &second, "22233344453").await.status, 200);
}

#[tokio::test]
async fn checks_at_the_same_moment_verify_once() {
    let (world, _twin) = world().await;
    let person = world.register(1).await;
    let answers = futures::future::join_all((0..6).map(|_| verify(&world, &person, MATCHING))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert_eq!(world.events("identity.user.verified").await.len(), 1);

    let people = futures::future::join_all((2..6).map(|index| world.register(index))).await;
    let answers =
        futures::future::join_all(people.iter().map(|person| verify(&world, person, "22233344453"))).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409], "one number, many people");
}

#[tokio::test]
async fn bad_numbers_and_dates_are_named() {
    let (world, _twin) = world().await;
    let person = world.register(1).await;
    let problem = async |body: Value| world.post_as(&person.access, "/kyc/bvn", &body).await.problem();
    for wrong in ["", "2223334445", "222333444511", "2223334445a", "２２２３３３４４４５１"] {
        let answer = problem(json!({ "bvn": wrong, "dateOfBirth": BORN })).await;
        assert_eq!(answer, invalid("bvn", "invalid"), "{wrong}");
    }
    for (wrong, code) in [
        ("1990-02-30", "invalid"),
        ("31.01.1990", "invalid"),
        ("1990-1-31", "invalid"),
        ("", "invalid"),
        ("2026-03-01", "out_of_range"),
        ("2999-01-01", "out_of_range"),
        ("1850-01-01", "out_of_range"),
        ("2008-03-02", "too_young"),
    ] {
        let answer = problem(json!({ "bvn": MATCHING, "dateOfBirth": wrong })).await;
        assert_eq!(answer, invalid("dateOfBirth", code), "{wrong}");
    }
    let zero = problem(json!({ "bvn": "22233344\u{0}51", "dateOfBirth": BORN })).await;
    assert_eq!(zero, invalid("bvn", "out_of_range"));
    let both = problem(json!({ "bvn": "1", "dateOfBirth": "x" })).await;
    assert_eq!(both.2.len(), 2);
    assert_eq!(problem(json!({ "bvn": 1, "dateOfBirth": BORN })).await, invalid("bvn", "wrong_type"));
    assert_eq!(
        problem(json!({ "bvn": MATCHING, "dateOfBirth": BORN, "tier": 3 })).await,
        invalid("tier", "unknown_field")
    );
    let nobody = world.post("/kyc/bvn", &json!({ "bvn": MATCHING, "dateOfBirth": BORN })).await;
    assert_eq!(nobody.code(), refusal(401, "unauthenticated"));
    nothing_stored(&world).await;
}

#[tokio::test]
async fn an_account_that_is_not_active_is_not_verified() {
    let (world, _twin) = world().await;
    let person = world.register(1).await;
    sqlx::query("UPDATE users SET status = 'suspended'").execute(&world.db.pool).await.unwrap();
    assert_eq!(verify(&world, &person, MATCHING).await.code(), refusal(403, "forbidden"));
    nothing_stored(&world).await;
}

#[tokio::test]
async fn number_and_birthday_are_nowhere_in_the_database() {
    let (world, _twin) = world().await;
    let person = world.register(1).await;
    assert_eq!(verify(&world, &person, MATCHING).await.status, 200);
    let dump = world.dump().await;
    assert!(dump.contains("identity.user.verified") && dump.contains("bvn-check"));
    for secret in [MATCHING, BORN, &hex::encode(MATCHING), &hex::encode(BORN)] {
        assert!(!dump.contains(secret), "{secret} is in the database");
    }
}
