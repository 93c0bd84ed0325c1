//! Which access tokens open a door.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use common_auth::{Claims, signing::TokenSigner, testing};
use common_utils::{clock::Clock, ids};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Person, World, answer, refusal};

/// What their own token says, with other words about time.
fn claims(world: &World, person: &Person) -> Claims {
    let sid = person.session();
    Claims { sid, ..testing::claims(person.id.parse().unwrap(), world.clock.now()) }
}

#[tokio::test]
async fn an_access_token_says_who_and_what() {
    let world = World::start().await;
    let person = world.register(1).await;
    let payload = person.access.split('.').nth(1).unwrap();
    let said: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    let session: ids::UserId = said["sid"].as_str().unwrap().parse().unwrap();
    let now = world.clock.now().timestamp();
    let expected = json!({
        "iss": "wallet-platform", "aud": "wallet-api", "sub": person.id, "sid": session,
        "roles": ["user"], "tier": 0, "iat": now, "nbf": now - 30, "exp": now + 900,
        "amr": ["pwd"], "acr": "aal1", "auth_time": now,
    });
    assert_eq!(said, expected);
}

#[tokio::test]
async fn an_expired_token_says_so() {
    let world = World::start().await;
    let person = world.register(1).await;
    world.advance(899);
    assert_eq!(world.me(&person.access).await.status, 200);
    world.advance(1);
    assert_eq!(world.me(&person.access).await.code(), refusal(401, "token_expired"));
}

#[tokio::test]
async fn foreign_and_tampered_tokens_are_refused() {
    let world = World::start().await;
    let person = world.register(1).await;
    let good = claims(&world, &person);
    let own = TokenSigner::load_or_create(world.keys.path()).unwrap();
    let foreign = TokenSigner::ephemeral().unwrap();
    assert_eq!(world.me(&own.sign(&good).unwrap()).await.status, 200);

    let parts: Vec<&str> = person.access.split('.').collect();
    let admin = URL_SAFE_NO_PAD.encode(json!({ "sub": person.id, "roles": ["admin"] }).to_string());
    let unsigned = URL_SAFE_NO_PAD.encode(json!({ "alg": "none", "typ": "JWT" }).to_string());
    for token in [
        foreign.sign(&good).unwrap(),
        own.sign(&Claims { iss: "somebody".to_owned(), ..good.clone() }).unwrap(),
        own.sign(&Claims { aud: "wallet-internal".to_owned(), ..good.clone() }).unwrap(),
        // A session that never was.
        own.sign(&Claims { sid: ids::new_id(), ..good.clone() }).unwrap(),
        format!("{}.{admin}.{}", parts[0], parts[2]),
        format!("{unsigned}.{}.", parts[1]),
        format!("{}.{}.{}", parts[0], parts[1], "A".repeat(86)),
        world.services.mint("wallet-service").unwrap(),
        person.refresh.clone(),
        "x".to_owned(),
        String::new(),
    ] {
        assert_eq!(world.me(&token).await.code(), refusal(401, "unauthenticated"), "{token}");
    }
}

#[tokio::test]
async fn no_token_and_two_tokens_are_refused() {
    let world = World::start().await;
    let person = world.register(1).await;
    let me = || world.request(Method::GET, "/api/v1/identity/me");
    let without = answer(me()).await;
    assert_eq!(without.code(), refusal(401, "unauthenticated"));
    assert_eq!(without.headers["www-authenticate"], "Bearer");
    let bearer = format!("Bearer {}", person.access);
    let twice = answer(me().header("authorization", &bearer).header("authorization", &bearer)).await;
    assert_eq!(twice.code(), refusal(401, "unauthenticated"));
    assert_eq!(answer(me().basic_auth("a", Some("b"))).await.code(), refusal(401, "unauthenticated"));
}
