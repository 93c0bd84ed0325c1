//! `/passkeys`, with an authenticator in software: making, listing, renaming and removing them.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    authenticator::{Authenticator, Fault},
    command::run,
    factors::claims,
    support::{Answer, PASSWORD, Person, World, answer, invalid, refusal},
};

/// Begins what a person who is signed in begins, with the password where it is taken.
pub(crate) async fn begin(world: &World, token: &str, what: &str) -> Value {
    let body = if what == "register" { json!({ "currentPassword": PASSWORD }) } else { json!({}) };
    let begun = world.post_as(token, &format!("/passkeys/{what}/start"), &body).await;
    assert_eq!(begun.status, 200, "{begun:?}");
    begun.body
}

pub(crate) async fn begin_sign_in(world: &World) -> Value {
    let begun = world.post("/passkeys/sign-in/start", &json!({})).await;
    assert_eq!(begun.status, 200, "{begun:?}");
    begun.body
}

pub(crate) async fn finish_registering(
    world: &World,
    token: &str,
    begun: &Value,
    credential: &Value,
) -> Answer {
    let body = json!({ "ceremonyId": begun["ceremonyId"], "name": "Ada's phone", "credential": credential });
    world.post_as(token, "/passkeys/register/finish", &body).await
}

pub(crate) async fn finish_sign_in(world: &World, begun: &Value, credential: &Value) -> Answer {
    let body = json!({ "ceremonyId": begun["ceremonyId"], "credential": credential });
    world.post("/passkeys/sign-in/finish", &body).await
}

pub(crate) async fn finish_step_up(world: &World, token: &str, begun: &Value, credential: &Value) -> Answer {
    let body = json!({ "ceremonyId": begun["ceremonyId"], "credential": credential });
    world.post_as(token, "/passkeys/step-up/finish", &body).await
}

pub(crate) async fn sign_in(world: &World, authenticator: &mut Authenticator) -> Answer {
    let begun = begin_sign_in(world).await;
    finish_sign_in(world, &begun, &authenticator.get(&begun)).await
}

/// Makes a passkey of somebody whose proof is fresh, and gives them the token that says so.
pub(crate) async fn register(world: &World, person: &mut Person) -> Authenticator {
    let mut authenticator = Authenticator::new();
    let begun = begin(world, &person.access, "register").await;
    let made = finish_registering(world, &person.access, &begun, &authenticator.create(&begun)).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.body["tokens"]["accessToken"].as_str().unwrap().clone_into(&mut person.access);
    authenticator
}

/// Signs in with the password alone, while that is enough.
pub(crate) async fn elsewhere(world: &World, person: &Person) -> Person {
    Person::of(&world.log_in(&person.email, PASSWORD).await)
}

/// Tells a session of what changed since.
pub(crate) async fn renew(world: &World, person: &mut Person) {
    let renewed = world.refresh(&person.refresh).await;
    assert_eq!(renewed.status, 200, "{renewed:?}");
    let text = |name: &str| renewed.body["tokens"][name].as_str().unwrap().to_owned();
    (person.access, person.refresh) = (text("accessToken"), text("refreshToken"));
}

pub(crate) async fn listed(world: &World, token: &str) -> Vec<Value> {
    let page = world.get("/api/v1/identity/passkeys", Some(token)).await;
    assert_eq!(page.status, 200, "{page:?}");
    page.body["items"].as_array().unwrap().clone()
}

async fn one(world: &World, method: Method, token: &str, id: &Value, body: &Value) -> Answer {
    let path = format!("/api/v1/identity/passkeys/{}", id.as_str().unwrap());
    answer(world.request(method, &path).bearer_auth(token).json(body)).await
}

#[tokio::test]
async fn a_passkey_is_made_and_signs_in_without_a_password() {
    let world = World::start().await;
    let mut person = world.register(1).await;
    let begun = begin(&world, &person.access, "register").await;
    let options = &begun["publicKey"];
    assert_eq!(options["rp"], json!({ "id": "localhost", "name": "Wallet" }));
    assert_eq!(options["user"]["name"], person.email);
    assert_eq!(options["attestation"], "none");
    let selection = &options["authenticatorSelection"];
    assert_eq!(
        (&selection["residentKey"], &selection["userVerification"]),
        (&json!("required"), &json!("required"))
    );

    let mut authenticator = Authenticator::new();
    let made = finish_registering(&world, &person.access, &begun, &authenticator.create(&begun)).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(made.body["passkey"]["name"], "Ada's phone");
    assert_eq!(made.body["recoveryCodes"].as_array().unwrap().len(), 10);
    made.body["tokens"]["accessToken"].as_str().unwrap().clone_into(&mut person.access);
    let said = claims(&person.access);
    assert_eq!((&said["amr"], &said["factors"]), (&json!(["pwd", "hwk"]), &json!(["recovery", "hwk"])));
    let user = URL_SAFE_NO_PAD.decode(&authenticator.handle).unwrap();
    assert_eq!(user.len(), 16);
    assert_ne!(user, person.id.parse::<uuid::Uuid>().unwrap().as_bytes());

    let begun = begin_sign_in(&world).await;
    assert_eq!(begun["publicKey"]["allowCredentials"], json!([]));
    assert_eq!(begun["publicKey"]["userVerification"], "required");
    world.advance(60);
    let signed_in = finish_sign_in(&world, &begun, &authenticator.get(&begun)).await;
    assert_eq!((signed_in.status, &signed_in.body["user"]["id"]), (200, &json!(person.id)), "{signed_in:?}");
    let there = Person::of(&signed_in);
    let claims = claims(&there.access);
    assert_eq!((&claims["amr"], &claims["acr"]), (&json!(["hwk"]), &json!("aal2")));
    assert_eq!(world.me(&there.access).await.status, 200);
    assert_eq!(world.refresh(&there.refresh).await.status, 200);

    let passkeys = listed(&world, &person.access).await;
    assert_eq!(passkeys.len(), 1);
    assert_eq!(
        passkeys[0],
        json!({
            "id": made.body["passkey"]["id"], "name": "Ada's phone", "status": "active",
            "createdAt": "2026-03-01T12:00:00Z", "lastUsedAt": "2026-03-01T12:01:00Z",
        })
    );
    let added = world.events("identity.user.factor_added").await;
    assert_eq!(added[0]["data"]["factor"], "passkey");
}

#[tokio::test]
async fn what_an_authenticator_must_not_do_makes_no_passkey() {
    let world = World::start().await;
    let person = world.register(1).await;
    let wrong: [Fault; 4] = [
        ("another page", |it| it.origin = "http://localhost:9999".to_owned()),
        ("another site", |it| it.origin = "https://evil.example".to_owned()),
        ("another domain", |it| it.rp_id = "evil.example".to_owned()),
        ("nobody verified", |it| it.verifies = false),
    ];
    for (what, spoil) in wrong {
        let mut authenticator = Authenticator::new();
        spoil(&mut authenticator);
        let begun = begin(&world, &person.access, "register").await;
        let refused = finish_registering(&world, &person.access, &begun, &authenticator.create(&begun)).await;
        assert_eq!(refused.code(), refusal(422, "passkey_rejected"), "{what}");
        // It was used up by that.
        let again =
            finish_registering(&world, &person.access, &begun, &Authenticator::new().create(&begun)).await;
        assert_eq!(again.code(), refusal(422, "ceremony_expired"), "{what}");
    }
    // The challenge of another ceremony.
    let [first, second] =
        [begin(&world, &person.access, "register").await, begin(&world, &person.access, "register").await];
    let refused =
        finish_registering(&world, &person.access, &first, &Authenticator::new().create(&second)).await;
    assert_eq!(refused.code(), refusal(422, "passkey_rejected"));
    assert!(listed(&world, &person.access).await.is_empty());
}

#[tokio::test]
async fn a_ceremony_is_of_one_person_session_and_purpose_for_five_minutes() {
    let world = World::start().await;
    let person = world.register(1).await;
    let other = world.register(2).await;
    let elsewhere = elsewhere(&world, &person).await;
    let begun = begin(&world, &person.access, "register").await;
    let credential = Authenticator::new().create(&begun);
    for token in [&other.access, &elsewhere.access] {
        let refused = finish_registering(&world, token, &begun, &credential).await;
        assert_eq!(refused.code(), refusal(422, "ceremony_expired"));
    }
    let mut authenticator = Authenticator::new();
    assert_eq!(
        finish_sign_in(&world, &begun, &authenticator.get(&begun)).await.code(),
        refusal(422, "ceremony_expired")
    );
    let unknown = json!({ "ceremonyId": person.id, "publicKey": begun["publicKey"] });
    assert_eq!(
        finish_registering(&world, &person.access, &unknown, &credential).await.code(),
        refusal(422, "ceremony_expired")
    );
    // All that left it as it was.
    world.advance(299);
    assert_eq!(finish_registering(&world, &person.access, &begun, &credential).await.status, 201);

    let begun = begin_sign_in(&world).await;
    world.advance(300);
    assert_eq!(
        finish_sign_in(&world, &begun, &authenticator.get(&begun)).await.code(),
        refusal(422, "ceremony_expired")
    );
}

#[tokio::test]
async fn a_passkey_is_registered_once() {
    let world = World::start().await;
    let (mut person, other) = (world.register(1).await, world.register(2).await);
    let mut authenticator = register(&world, &mut person).await;
    let signed_in = Person::of(&sign_in(&world, &mut authenticator).await);
    let begun = begin(&world, &signed_in.access, "register").await;
    let excluded = &begun["publicKey"]["excludeCredentials"];
    assert_eq!(excluded, &json!([{ "type": "public-key", "id": authenticator.id() }]));
    // What an authenticator makes all the same is refused.
    let again =
        finish_registering(&world, &signed_in.access, &begun, &authenticator.clone().create(&begun)).await;
    assert_eq!(again.code(), refusal(422, "passkey_rejected"));
    let begun = begin(&world, &other.access, "register").await;
    let theirs =
        finish_registering(&world, &other.access, &begun, &authenticator.clone().create(&begun)).await;
    assert_eq!(theirs.code(), refusal(409, "passkey_registered"));
    assert_eq!(sign_in(&world, &mut authenticator).await.body["user"]["id"], person.id);
}

#[tokio::test]
async fn twenty_are_enough() {
    let world = World::start().await;
    let mut person = world.register(1).await;
    let mut first = register(&world, &mut person).await;
    let signed_in = Person::of(&sign_in(&world, &mut first).await);
    let spare = begin(&world, &signed_in.access, "register").await;
    for _ in 1..20 {
        let begun = begin(&world, &signed_in.access, "register").await;
        let credential = Authenticator::new().create(&begun);
        assert_eq!(finish_registering(&world, &signed_in.access, &begun, &credential).await.status, 201);
    }
    let more = world.post_as(&signed_in.access, "/passkeys/register/start", &json!({})).await;
    assert_eq!(more.code(), refusal(409, "too_many_passkeys"));
    let credential = Authenticator::new().create(&spare);
    let more = finish_registering(&world, &signed_in.access, &spare, &credential).await;
    assert_eq!(more.code(), refusal(409, "too_many_passkeys"));
    assert_eq!(listed(&world, &signed_in.access).await.len(), 20);
}

#[tokio::test]
async fn its_owner_renames_and_removes_it_and_nobody_else_does() {
    let world = World::start().await;
    let (mut person, other) = (world.register(1).await, world.register(2).await);
    let mut elsewhere = elsewhere(&world, &person).await;
    let mut authenticator = register(&world, &mut person).await;
    renew(&world, &mut elsewhere).await;
    let there = Person::of(&sign_in(&world, &mut authenticator).await);
    let id = listed(&world, &there.access).await[0]["id"].clone();
    let name = json!({ "name": " Blue key " });
    let renamed = one(&world, Method::PATCH, &there.access, &id, &name).await;
    assert_eq!((renamed.status, &renamed.body["name"]), (200, &json!("Blue key")), "{renamed:?}");
    let nameless = one(&world, Method::PATCH, &there.access, &id, &json!({ "name": " " })).await;
    assert_eq!(nameless.problem(), invalid("name", "length"));
    for method in [Method::PATCH, Method::DELETE] {
        let refused = one(&world, method, &other.access, &id, &name).await;
        assert_eq!(refused.code(), refusal(404, "not_found"));
    }
    assert!(listed(&world, &other.access).await.is_empty());

    // The session of the password does not remove it: whoever holds that one may know the password, too.
    let refused = one(&world, Method::DELETE, &elsewhere.access, &id, &name).await;
    assert_eq!(refused.code(), refusal(403, "step_up_required"));
    assert_eq!(refused.body["methods"], json!(["recovery", "passkey"]));
    world.advance(301);
    let refused = one(&world, Method::DELETE, &there.access, &id, &name).await;
    assert_eq!(refused.code(), refusal(403, "step_up_required"));
    let begun = begin(&world, &there.access, "step-up").await;
    let proved = finish_step_up(&world, &there.access, &begun, &authenticator.get(&begun)).await;
    let fresh = proved.body["tokens"]["accessToken"].as_str().unwrap_or_else(|| panic!("{proved:?}"));
    assert_eq!(one(&world, Method::DELETE, fresh, &id, &name).await.status, 204);
    assert_eq!(one(&world, Method::DELETE, fresh, &id, &name).await.code(), refusal(404, "not_found"));
    assert_eq!(sign_in(&world, &mut authenticator).await.code(), refusal(401, "passkey_rejected"));
    assert_eq!(world.events("identity.user.factor_removed").await[0]["data"]["factor"], "passkey");
    // It was the only one: the password is enough again.
    assert_eq!(world.log_in(&person.email, PASSWORD).await.body["user"]["id"], person.id);
}

#[tokio::test]
async fn who_has_lost_all_of_them_signs_in_with_the_password_after_an_operator_took_them() {
    let world = World::start().await;
    let mut person = world.register(1).await;
    let mut authenticator = register(&world, &mut person).await;
    let (status, text) = run(&world, &["reset-factors", "--email", &person.email], "").await;
    assert_eq!(status, 0, "{text}");
    assert_eq!(world.log_in(&person.email, PASSWORD).await.body["user"]["id"], person.id);
    // Nor does one that is found again.
    assert_eq!(sign_in(&world, &mut authenticator).await.code(), refusal(401, "passkey_rejected"));
}

#[tokio::test]
async fn where_second_factors_are_off_nobody_makes_a_passkey() {
    let world = World::configured(false, |config| config.second_factors = false).await;
    let person = world.register(1).await;
    let refused = world.post_as(&person.access, "/passkeys/register/start", &json!({})).await;
    assert_eq!(refused.code(), refusal(403, "forbidden"));
}

#[tokio::test]
async fn nobody_makes_a_passkey_without_being_signed_in_or_with_nonsense() {
    let world = World::start().await;
    let person = world.register(1).await;
    let start = world.post("/passkeys/register/start", &json!({})).await;
    assert_eq!(start.code(), refusal(401, "unauthenticated"));
    let begun = begin(&world, &person.access, "register").await;
    for nonsense in [json!({}), json!("x"), json!({ "id": 1 })] {
        let refused = finish_registering(&world, &person.access, &begun, &nonsense).await;
        assert_eq!(refused.code(), refusal(422, "validation_failed"), "{nonsense}");
    }
    let mut credential = Authenticator::new().create(&begun);
    credential["response"]["attestationObject"] = json!("AAAA");
    let refused = finish_registering(&world, &person.access, &begun, &credential).await;
    assert_eq!(refused.code(), refusal(422, "passkey_rejected"));
}
