//! `/devices`, with phones in software.

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    factors::{claims, remove},
    phone::Phone,
    support::{Answer, PASSWORD, Person, World, answer, invalid, refusal},
};

const MESSAGE: &str = "wallet-platform/device/v1";

/// Whose devices are not bound to one.
async fn world_of_many() -> World {
    World::configured(false, |config| config.devices.one_active = false).await
}

pub(crate) async fn begin(world: &World, token: &str, key: &Value) -> Answer {
    let body = json!({
        "publicKey": key, "name": "Ada's phone", "platform": "android", "currentPassword": PASSWORD,
    });
    world.post_as(token, "/devices", &body).await
}

/// What is sent when the phone has signed the challenge.
pub(crate) fn signed(phone: &Phone, challenge: &Value) -> Value {
    let signature = phone.sign(challenge["message"].as_str().unwrap());
    json!({ "challengeId": challenge["challengeId"], "signature": signature })
}

pub(crate) async fn confirm(world: &World, token: &str, body: &Value) -> Answer {
    world.post_as(token, "/devices/confirm", body).await
}

/// Binds the phone in the session of the token; gives the device's id and the session's new token.
pub(crate) async fn bind(world: &World, token: &str, phone: &Phone) -> (String, String) {
    let begun = begin(world, token, &phone.spki()).await;
    assert_eq!(begun.status, 200, "{begun:?}");
    let bound = confirm(world, token, &signed(phone, &begun.body)).await;
    assert_eq!(bound.status, 201, "{bound:?}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&bound.body["device"]["id"]), text(&bound.body["tokens"]["accessToken"]))
}

async fn challenge(world: &World, device: &str) -> Value {
    let challenge = world.post(&format!("/devices/{device}/challenge"), &json!({})).await;
    assert_eq!(challenge.status, 200, "{challenge:?}");
    challenge.body
}

async fn send(world: &World, device: &str, body: &Value) -> Answer {
    world.post(&format!("/devices/{device}/unlock"), body).await
}

pub(crate) async fn unlock(world: &World, device: &str, phone: &Phone) -> Answer {
    let asked = challenge(world, device).await;
    send(world, device, &signed(phone, &asked)).await
}

async fn listed(world: &World, token: &str) -> Vec<Value> {
    let page = world.get("/api/v1/identity/devices", Some(token)).await;
    assert_eq!(page.status, 200, "{page:?}");
    page.body["items"].as_array().unwrap().clone()
}

async fn one(world: &World, method: Method, token: &str, id: &str, body: &Value) -> Answer {
    let path = format!("/api/v1/identity/devices/{id}");
    answer(world.request(method, &path).bearer_auth(token).json(body)).await
}

#[tokio::test]
async fn a_phone_is_bound_and_signs_in_with_its_key() {
    let world = World::start().await;
    for (index, phone) in [(1, Phone::new()), (2, Phone::ed25519())] {
        let person = world.register(index).await;
        let begun = begin(&world, &person.access, &phone.jwk()).await;
        let message = begun.body["message"].as_str().unwrap();
        let device = begun.body["deviceId"].as_str().unwrap();
        assert!(message.starts_with(&format!("{MESSAGE}\npurpose:bind\ndevice:{device}\nchallenge:")));
        let bound = confirm(&world, &person.access, &signed(&phone, &begun.body)).await;
        assert_eq!((bound.status, &bound.body["device"]["id"]), (201, &json!(device)), "{bound:?}");
        let token = bound.body["tokens"]["accessToken"].as_str().unwrap();
        let activated = world.clock_seconds();
        assert_eq!(claims(token)["dev_at"], activated, "the session is the device's");

        world.advance(60);
        let signed_in = unlock(&world, device, &phone).await;
        assert_eq!((signed_in.status, &signed_in.body["user"]["id"]), (200, &json!(person.id)));
        let there = Person::of(&signed_in);
        let said = claims(&there.access);
        assert_eq!((&said["amr"], &said["acr"]), (&json!(["swk"]), &json!("aal2")));
        assert_eq!(said["dev_at"], activated);
        let renewed = world.refresh(&there.refresh).await;
        let renewed = claims(renewed.body["tokens"]["accessToken"].as_str().unwrap());
        assert_eq!((&renewed["dev_at"], &renewed["amr"]), (&json!(activated), &json!(["swk"])));
        let devices = listed(&world, &there.access).await;
        assert_eq!((devices.len(), &devices[0]["platform"]), (1, &json!("android")));
        assert_eq!((&devices[0]["id"], &devices[0]["name"]), (&json!(device), &json!("Ada's phone")));
        assert_ne!(devices[0]["activatedAt"], devices[0]["lastUsedAt"]);
    }
    let person = Person::of(&world.log_in("person1@example.com", PASSWORD).await);
    assert_eq!(claims(&person.access).get("dev_at"), None, "a session of no device");
}

#[tokio::test]
async fn both_forms_of_a_key_are_one_key_and_other_keys_are_refused() {
    let world = world_of_many().await;
    let person = world.register(1).await;
    let other = world.register(2).await;
    let phone = Phone::new();
    bind(&world, &person.access, &phone).await;
    let begun = begin(&world, &other.access, &phone.jwk()).await;
    let again = confirm(&world, &other.access, &signed(&phone, &begun.body)).await;
    assert_eq!(again.code(), refusal(409, "device_registered"));
    let mut off_the_curve = phone.jwk();
    off_the_curve["y"] = off_the_curve["x"].clone();
    for wrong in [off_the_curve, json!("AAAA"), json!(""), json!({ "kty": "RSA", "crv": "x", "x": "AQAB" })] {
        let refused = begin(&world, &person.access, &wrong).await;
        assert_eq!(refused.problem(), invalid("publicKey", "invalid"), "{wrong}");
    }
    let body = json!({ "publicKey": phone.spki(), "name": "", "platform": "android" });
    assert_eq!(world.post_as(&person.access, "/devices", &body).await.problem(), invalid("name", "length"));
    let body = json!({ "publicKey": phone.spki(), "name": "x", "platform": "fridge" });
    assert_eq!(
        world.post_as(&person.access, "/devices", &body).await.problem(),
        invalid("platform", "invalid")
    );
}

#[tokio::test]
async fn a_device_is_bound_with_its_own_key_in_the_session_that_began_it() {
    let world = World::start().await;
    let (person, other) = (world.register(1).await, world.register(2).await);
    let elsewhere = Person::of(&world.log_in(&person.email, PASSWORD).await);
    let phone = Phone::new();
    let begun = begin(&world, &person.access, &phone.spki()).await.body;
    for token in [&other.access, &elsewhere.access] {
        let refused = confirm(&world, token, &signed(&phone, &begun)).await;
        assert_eq!(refused.code(), refusal(422, "challenge_expired"));
    }
    let refused = confirm(&world, &person.access, &signed(&Phone::new(), &begun)).await;
    assert_eq!(refused.code(), refusal(422, "device_rejected"), "another key");
    let refused = confirm(&world, &person.access, &signed(&phone, &begun)).await;
    assert_eq!(refused.code(), refusal(422, "challenge_expired"), "it was used up by that");
    let begun = begin(&world, &person.access, &phone.spki()).await.body;
    let mut nonsense = signed(&phone, &begun);
    nonsense["signature"] = json!("!");
    assert_eq!(confirm(&world, &person.access, &nonsense).await.problem(), invalid("signature", "invalid"));
    world.advance(300);
    let late = confirm(&world, &person.access, &signed(&phone, &begun)).await;
    assert_eq!(late.code(), refusal(422, "challenge_expired"));
    assert!(listed(&world, &person.access).await.is_empty());
}

#[tokio::test]
async fn one_refusal_whoever_a_device_is_not() {
    let world = World::start().await;
    let person = world.register(1).await;
    let phone = Phone::new();
    let (device, _) = bind(&world, &person.access, &phone).await;
    let nobody = "01975b6e-6b8e-7c3e-9d4e-1f2a3b4c5d6e";
    let refused = [
        unlock(&world, nobody, &phone).await,
        unlock(&world, &device, &Phone::new()).await,
        unlock(&world, &device, &Phone::ed25519()).await,
    ];
    for answer in &refused {
        assert_eq!(answer.code(), refusal(401, "device_rejected"));
        assert_eq!(answer.body["detail"], refused[0].body["detail"]);
    }
    let (known, unknown) = (challenge(&world, &device).await, challenge(&world, nobody).await);
    let fields = |challenge: &Value| challenge.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(fields(&known), fields(&unknown));
    let strange = world.post("/devices/not-an-id/challenge", &json!({})).await;
    assert_eq!(strange.code(), refusal(404, "not_found"));
}

#[tokio::test]
async fn a_challenge_is_of_one_device_and_purpose_for_five_minutes() {
    let world = world_of_many().await;
    let person = world.register(1).await;
    let (phone, second) = (Phone::new(), Phone::new());
    let (device, _) = bind(&world, &person.access, &phone).await;
    let (other, _) = bind(&world, &person.access, &second).await;
    // What was signed for another purpose, or another challenge, opens nothing.
    let asked = challenge(&world, &device).await;
    let message = asked["message"].as_str().unwrap().replace("purpose:unlock", "purpose:step_up");
    let body = json!({ "challengeId": asked["challengeId"], "signature": phone.sign(&message) });
    assert_eq!(send(&world, &device, &body).await.code(), refusal(401, "device_rejected"));
    let (one, two) = (challenge(&world, &device).await, challenge(&world, &device).await);
    let mixed = json!({ "challengeId": one["challengeId"], "signature": signed(&phone, &two)["signature"] });
    assert_eq!(send(&world, &device, &mixed).await.code(), refusal(401, "device_rejected"));
    // A step-up's challenge signs nobody in, and one device's is not another's.
    let path = format!("/devices/{device}/step-up/start");
    let asked = world.post_as(&person.access, &path, &json!({})).await.body;
    let refused = send(&world, &device, &signed(&phone, &asked)).await;
    assert_eq!(refused.code(), refusal(422, "challenge_expired"));
    let asked = challenge(&world, &other).await;
    let refused = send(&world, &device, &signed(&phone, &asked)).await;
    assert_eq!(refused.code(), refusal(422, "challenge_expired"));
    let asked = challenge(&world, &device).await;
    world.advance(300);
    let late = send(&world, &device, &signed(&phone, &asked)).await;
    assert_eq!(late.code(), refusal(422, "challenge_expired"));
    assert_eq!(unlock(&world, &device, &phone).await.status, 200);
}

#[tokio::test]
async fn of_two_uses_of_a_challenge_at_once_one_wins() {
    let world = World::start().await;
    let person = world.register(1).await;
    let phone = Phone::new();
    let (device, _) = bind(&world, &person.access, &phone).await;
    let asked = challenge(&world, &device).await;
    let body = signed(&phone, &asked);
    let answers = join_all((0..4).map(|_| send(&world, &device, &body))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| answer.status == 422).count(), 3);
    assert_eq!(send(&world, &device, &body).await.code(), refusal(422, "challenge_expired"));
}

#[tokio::test]
async fn revoking_a_device_ends_what_was_opened_on_it_and_nothing_else() {
    let world = world_of_many().await;
    let person = world.register(1).await;
    let other = world.register(2).await;
    let (phone, second) = (Phone::new(), Phone::new());
    let (device, token) = bind(&world, &person.access, &phone).await;
    let opened = Person::of(&unlock(&world, &device, &phone).await);
    let elsewhere = Person::of(&world.log_in(&person.email, PASSWORD).await);
    let (kept, _) = bind(&world, &elsewhere.access, &second).await;

    let foreign = one(&world, Method::DELETE, &other.access, &device, &json!({})).await;
    assert_eq!(foreign.code(), refusal(404, "not_found"));
    assert_eq!(one(&world, Method::DELETE, &elsewhere.access, &device, &json!({})).await.status, 204);
    for ended in [&token, &person.access, &opened.access] {
        assert_eq!(world.me(ended).await.code(), refusal(401, "unauthenticated"));
    }
    assert_eq!(world.refresh(&opened.refresh).await.code(), refusal(401, "unauthenticated"));
    assert_eq!(world.me(&elsewhere.access).await.status, 200);
    let reasons: Vec<Value> = world
        .events("identity.session.ended")
        .await
        .iter()
        .map(|event| event["data"]["reason"].clone())
        .collect();
    assert_eq!(reasons, ["device_revoked", "device_revoked"]);
    assert_eq!(unlock(&world, &device, &phone).await.code(), refusal(401, "device_rejected"));
    assert_eq!(unlock(&world, &kept, &second).await.status, 200);
    let again = one(&world, Method::DELETE, &elsewhere.access, &device, &json!({})).await;
    assert_eq!(again.code(), refusal(404, "not_found"));
}

#[tokio::test]
async fn another_device_takes_the_place_of_the_one_before() {
    let world = World::start().await;
    let person = world.register(1).await;
    let (old, new) = (Phone::new(), Phone::new());
    let (first, _) = bind(&world, &person.access, &old).await;
    let opened = Person::of(&unlock(&world, &first, &old).await);
    let elsewhere = Person::of(&world.log_in(&person.email, PASSWORD).await);
    let (second, token) = bind(&world, &elsewhere.access, &new).await;
    assert_eq!(world.me(&opened.access).await.code(), refusal(401, "unauthenticated"));
    assert_eq!(unlock(&world, &first, &old).await.code(), refusal(401, "device_rejected"));
    let devices = listed(&world, &token).await;
    assert_eq!((devices.len(), &devices[0]["id"]), (1, &json!(second)));
    // An app that makes its key anew keeps the session that it does so in.
    let (_, token) = bind(&world, &token, &Phone::new()).await;
    assert_eq!(world.me(&token).await.status, 200);
    assert_eq!(unlock(&world, &second, &new).await.code(), refusal(401, "device_rejected"));
}

#[tokio::test]
async fn ten_are_enough() {
    let world = world_of_many().await;
    let person = world.register(1).await;
    for _ in 0..10 {
        bind(&world, &person.access, &Phone::new()).await;
    }
    let phone = Phone::new();
    let begun = begin(&world, &person.access, &phone.spki()).await.body;
    let more = confirm(&world, &person.access, &signed(&phone, &begun)).await;
    assert_eq!(more.code(), refusal(409, "too_many_devices"));
    assert_eq!(listed(&world, &person.access).await.len(), 10);
}

#[tokio::test]
async fn a_fresh_proof_is_given_with_a_device_of_ones_own() {
    let world = World::start().await;
    let (person, other) = (world.register(1).await, world.register(2).await);
    let phone = Phone::new();
    let (device, token) = bind(&world, &person.access, &phone).await;
    world.advance(301);
    let refused = remove(&world, &token).await;
    assert_eq!(refused.code(), refusal(403, "step_up_required"));
    assert_eq!(refused.body["methods"], json!(["password", "device"]));

    let path = format!("/devices/{device}/step-up");
    let foreign = world.post_as(&other.access, &format!("{path}/start"), &json!({})).await;
    assert_eq!(foreign.code(), refusal(404, "not_found"));
    let finish = async |token: &str, phone: &Phone, asked: &Value| {
        world.post_as(token, &format!("{path}/finish"), &signed(phone, asked)).await
    };
    let asked = world.post_as(&token, &format!("{path}/start"), &json!({})).await.body;
    assert!(asked["message"].as_str().unwrap().starts_with(&format!("{MESSAGE}\npurpose:step_up\n")));
    let refused = finish(&other.access, &phone, &asked).await;
    assert_eq!(refused.code(), refusal(404, "not_found"), "somebody else's device");
    let refused = finish(&token, &Phone::new(), &asked).await;
    assert_eq!(refused.code(), refusal(422, "device_rejected"));
    let asked = world.post_as(&token, &format!("{path}/start"), &json!({})).await.body;
    let proved = finish(&token, &phone, &asked).await;
    assert_eq!(proved.status, 200, "{proved:?}");
    let fresh = proved.body["tokens"]["accessToken"].as_str().unwrap();
    assert_eq!(claims(fresh)["acr"], "aal2");
    assert_eq!(remove(&world, fresh).await.code(), refusal(404, "not_found"), "there is no app to remove");
}

#[tokio::test]
async fn a_device_is_renamed_by_its_owner_and_works_for_open_accounts_alone() {
    let world = World::start().await;
    let (person, other) = (world.register(1).await, world.register(2).await);
    let phone = Phone::new();
    let (device, token) = bind(&world, &person.access, &phone).await;
    let name = json!({ "name": "Red phone" });
    let renamed = one(&world, Method::PATCH, &token, &device, &name).await;
    assert_eq!((renamed.status, &renamed.body["name"]), (200, &json!("Red phone")));
    let foreign = one(&world, Method::PATCH, &other.access, &device, &name).await;
    assert_eq!(foreign.code(), refusal(404, "not_found"));
    sqlx::query("UPDATE users SET status = 'closed' WHERE email = $1")
        .bind(&person.email)
        .execute(&world.db.pool)
        .await
        .unwrap();
    assert_eq!(unlock(&world, &device, &phone).await.code(), refusal(403, "forbidden"));
    assert_eq!(unlock(&world, &device, &Phone::new()).await.code(), refusal(401, "device_rejected"));
}

#[tokio::test]
async fn a_bound_phone_does_not_make_the_password_worth_less() {
    let world = World::start().await;
    let person = world.register(1).await;
    let phone = Phone::new();
    bind(&world, &person.access, &phone).await;
    let there = Person::of(&world.log_in(&person.email, PASSWORD).await);
    assert_eq!(claims(&there.access)["acr"], "aal1");
    assert_eq!(world.me(&person.access).await.status, 200, "nor are tokens of before refused");
    let added = world.events("identity.user.factor_added").await;
    assert_eq!(added[0]["data"]["factor"], "device");
}
