//! Making an API key with an `Idempotency-Key`: one key, and one answer with its secret.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    api_keys::{KEYS, Key, wanted},
    support::{Answer, Person, World, answer, invalid, refusal},
};

impl World {
    async fn make_once(&self, by: &Person, key: &str, body: &Value) -> Answer {
        let request = self.request(Method::POST, KEYS).header("Idempotency-Key", key);
        answer(request.bearer_auth(&by.access).json(body)).await
    }

    async fn count_keys(&self, of: &Person) -> usize {
        self.get(KEYS, Some(&of.access)).await.body["items"].as_array().unwrap().len()
    }
}

fn is_replayed(answer: &Answer) -> bool {
    answer.headers.get("idempotent-replayed").is_some_and(|value| value == "true")
}

#[tokio::test]
async fn a_repeated_call_makes_no_second_key_and_shows_no_secret() {
    let world = World::start().await;
    let person = world.register(1).await;
    let body = wanted(&["wallets:read"]);
    let made = world.make_once(&person, "shop", &body).await;
    assert_eq!((made.status, is_replayed(&made)), (201, false), "{made:?}");
    let key = Key::of(&made);
    let again = world.make_once(&person, "shop", &body).await;
    assert_eq!((again.status, is_replayed(&again)), (201, true), "{again:?}");
    assert_eq!(again.body, json!({ "apiKey": made.body["apiKey"], "clientSecret": null }));
    assert_eq!(world.count_keys(&person).await, 1);
    assert_eq!(world.events("identity.api_key.created").await.len(), 1);
    let bits = key.secret.split('_').nth(2).unwrap();
    assert!(!world.dump().await.contains(bits), "the secret lies in the database");

    // The way that the contract names: the key that was made gets another secret.
    let rotated = Key::of(&world.rotate(&person, &key, true).await);
    assert_eq!(world.exchange(&rotated).await.status, 200);
    let now = world.make_once(&person, "shop", &body).await;
    let prefix = now.body["apiKey"]["secrets"][0]["prefix"].as_str().unwrap();
    assert!(rotated.secret.starts_with(prefix), "it is answered as it is by now: {now:?}");
    assert_eq!(world.revoke(&person, &key).await.status, 204);
    let after = world.make_once(&person, "shop", &body).await;
    assert_eq!((after.status, &after.body["apiKey"]["secrets"]), (201, &json!([])));
    assert_eq!(world.count_keys(&person).await, 0, "what was revoked is not made again");
}

#[tokio::test]
async fn calls_that_come_together_make_one_key() {
    let world = World::start().await;
    let person = world.register(1).await;
    let body = wanted(&["wallets:read"]);
    let (first, second) =
        tokio::join!(world.make_once(&person, "shop", &body), world.make_once(&person, "shop", &body));
    assert_eq!((first.status, second.status), (201, 201), "{first:?} {second:?}");
    assert_eq!(first.body["apiKey"]["id"], second.body["apiKey"]["id"]);
    let shown = [&first, &second].map(|answer| answer.body["clientSecret"].is_string());
    assert!(shown[0] != shown[1], "one of them has the secret: {shown:?}");
    assert_eq!(world.count_keys(&person).await, 1);
}

#[tokio::test]
async fn a_key_holds_for_one_person_and_one_request() {
    let world = World::start().await;
    let (ada, bola) = (world.register(1).await, world.register(2).await);
    let body = wanted(&["wallets:read"]);
    let made = world.make_once(&ada, "shop", &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    for (field, value) in
        [("name", json!("Till")), ("scopes", json!(["transfers:write"])), ("expiresInDays", json!(31))]
    {
        let mut other = body.clone();
        other[field] = value;
        let answer = world.make_once(&ada, "shop", &other).await;
        assert_eq!(answer.code(), refusal(422, "idempotency_key_reused"), "{field}");
    }
    let bolas = world.make_once(&bola, "shop", &body).await;
    assert_eq!((bolas.status, is_replayed(&bolas)), (201, false), "{bolas:?}");
    assert_ne!(bolas.body["apiKey"]["id"], made.body["apiKey"]["id"]);
    let unfit = world.make_once(&ada, &"x".repeat(256), &body).await;
    assert_eq!(unfit.problem(), invalid("Idempotency-Key", "invalid"));
    assert_eq!((world.count_keys(&ada).await, world.count_keys(&bola).await), (1, 1));
}

/// Whoever has a token alone learns nothing of keys by repeating calls.
#[tokio::test]
async fn a_repeated_call_takes_the_password_too_and_a_refused_one_leaves_its_key_unused() {
    let world = World::start().await;
    let person = world.register(1).await;
    let mut wrong = wanted(&["wallets:read"]);
    wrong["currentPassword"] = json!("wrong");
    let refused = world.make_once(&person, "shop", &wrong).await;
    assert_eq!(refused.problem(), invalid("currentPassword", "wrong_password"));
    let made = world.make_once(&person, "shop", &wanted(&["wallets:read"])).await;
    assert_eq!((made.status, is_replayed(&made)), (201, false), "{made:?}");
    let refused = world.make_once(&person, "shop", &wrong).await;
    assert_eq!(refused.problem(), invalid("currentPassword", "wrong_password"));
}
