//! People who apply for a tier, files to send, and reviewers.

use std::time::Duration;

use common_utils::http_client::BreakerConfig;
use identity_service::{HttpKycConfig, config::Config, notice_config::NoticeConfig};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::DropGuard;

use crate::{
    kyc::twin,
    mailbox::until,
    support::{Answer, PASSWORD, Person, World, answer, kyc_at},
};

pub(crate) const BORN: &str = "1990-01-31";
pub(crate) const BVN: &str = "22233344451";
pub(crate) const NIN: &str = "11133344451";

/// A service whose workers run, and the twin that it asks. The twin ends with the guard.
pub(crate) async fn world() -> (World, String, DropGuard) {
    let (twin, guard) = twin().await;
    (world_at(&twin).await, twin, guard)
}

pub(crate) async fn world_at(twin: &str) -> World {
    world_with(twin, |_| ()).await
}

/// `adjust` changes what is configured otherwise.
pub(crate) async fn world_with(twin: &str, adjust: impl FnOnce(&mut Config)) -> World {
    World::configured(true, |config| {
        // A twin that was down is asked again at once.
        let breaker = BreakerConfig { failures: 100, pause: Duration::ZERO };
        config.kyc = HttpKycConfig { breaker, ..kyc_at(twin) };
        config.notices = NoticeConfig::mailbox(twin, Duration::from_secs(5));
        adjust(config);
    })
    .await
}

/// Everything that tier two asks for.
pub(crate) fn tier_two(nin: &str) -> Value {
    json!({ "tier": 2, "bvn": BVN, "nin": nin, "dateOfBirth": BORN })
}

pub(crate) fn tier_three(bvn: &str, nin: &str) -> Value {
    let address = json!({ "line": "1 Marina Road", "city": "Lagos Island", "state": "Lagos" });
    json!({ "tier": 3, "bvn": bvn, "nin": nin, "dateOfBirth": BORN, "address": address })
}

pub(crate) async fn open(world: &World, person: &Person, application: &Value) -> Answer {
    world.post_as(&person.access, "/kyc/cases", application).await
}

/// The id of a case that was opened.
pub(crate) async fn opened(world: &World, person: &Person, application: &Value) -> String {
    let answer = open(world, person, application).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.body["status"], "submitted");
    answer.body["id"].as_str().unwrap().to_owned()
}

pub(crate) async fn case(world: &World, person: &Person, id: &str) -> Value {
    let path = format!("/api/v1/identity/kyc/cases/{id}");
    let answer = world.get(&path, Some(&person.access)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

/// Waits until the case stands so.
pub(crate) async fn stands(world: &World, person: &Person, id: &str, status: &str) -> Value {
    until(&format!("status {status}"), async || {
        Some(case(world, person, id).await).filter(|case| case["status"] == status)
    })
    .await
}

pub(crate) async fn upload(
    world: &World,
    person: &Person,
    id: &str,
    (kind, content_type): (&str, &str),
    content: Vec<u8>,
) -> Answer {
    let path = format!("/api/v1/identity/kyc/cases/{id}/documents?kind={kind}");
    let request = world.request(Method::POST, &path).bearer_auth(&person.access);
    answer(request.header("content-type", content_type).body(content)).await
}

/// Status and reason, from the table: where the clock moves on, tokens expire.
pub(crate) async fn kept(world: &World, id: &str) -> (String, String) {
    sqlx::query_as("SELECT status, reason FROM kyc_cases WHERE id = $1::uuid")
        .bind(id)
        .fetch_one(&world.db.pool)
        .await
        .unwrap()
}

/// Waits until the case stands so, and moves the clock on meanwhile: attempts become due.
pub(crate) async fn comes_to_stand(world: &World, id: &str, status: &str) -> String {
    until(&format!("status {status}"), async || {
        world.advance(60);
        let (stands, reason) = kept(world, id).await;
        (stands == status).then_some(reason)
    })
    .await
}

/// Waits until the case was looked at twice, and moves the clock on meanwhile.
pub(crate) async fn attempted(world: &World, id: &str) {
    until("two attempts", async || {
        world.advance(60);
        let attempts: i32 = sqlx::query_scalar("SELECT attempts FROM kyc_cases WHERE id = $1::uuid")
            .bind(id)
            .fetch_one(&world.db.pool)
            .await
            .unwrap();
        (attempts >= 2).then_some(())
    })
    .await;
}

/// With new tokens.
pub(crate) async fn signed_in(world: &World, person: &Person) -> Person {
    Person::of(&world.log_in(&person.email, PASSWORD).await)
}

/// A small photo, with `mark` where phones write their own.
pub(crate) fn photo(mark: &str) -> Vec<u8> {
    [
        &[0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 2, 0x58, 3, 0x20, 1, 1, 0x11, 0][..],
        &[0xff, 0xda, 0, 4, 1, 2],
        b"picture",
        &[0xff, 0xd9],
        mark.as_bytes(),
    ]
    .concat()
}

/// A person of tier three's case with the reviewers.
pub(crate) async fn under_review(world: &World, person: &Person, bvn: &str, nin: &str) -> String {
    let id = opened(world, person, &tier_three(bvn, nin)).await;
    stands(world, person, &id, "more_needed").await;
    let sent = upload(world, person, &id, ("address_document", "image/jpeg"), photo("bill")).await;
    assert_eq!(sent.status, StatusCode::CREATED.as_u16(), "{sent:?}");
    stands(world, person, &id, "in_review").await;
    id
}

/// Somebody of staff, signed in with their role.
pub(crate) async fn staff(world: &World, index: u32, role: &str) -> Person {
    let mut person = world.register(index).await;
    sqlx::query("UPDATE users SET roles = ARRAY['user', $2] WHERE id = $1::uuid")
        .bind(&person.id)
        .bind(role)
        .execute(&world.db.pool)
        .await
        .unwrap();
    let refreshed = world.refresh(&person.refresh).await;
    refreshed.body["tokens"]["accessToken"].as_str().unwrap().clone_into(&mut person.access);
    person
}

pub(crate) async fn decide(world: &World, reviewer: &Person, id: &str, what: &str, body: &Value) -> Answer {
    world.post_as(&reviewer.access, &format!("/kyc/reviews/{id}/{what}"), body).await
}

pub(crate) async fn tier(world: &World, person: &Person) -> Value {
    world.me(&person.access).await.body["user"]["kycTier"].clone()
}

pub(crate) async fn twin_is(twin: &str, mode: &str) {
    let client = reqwest::Client::new();
    let set = client.post(format!("{twin}/twin/faults")).json(&json!({ "mode": mode })).send().await.unwrap();
    assert!(set.status().is_success());
}
