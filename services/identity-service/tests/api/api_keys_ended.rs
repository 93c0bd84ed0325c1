//! API keys that are rotated and revoked: which secrets and tokens go on, and for how long.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    api_keys::{KEYS, Key, claims, refused},
    support::{Answer, PASSWORD, Person, World, refusal},
};

#[tokio::test]
async fn a_key_is_rotated_with_an_overlap() {
    let world = World::start().await;
    let person = world.register(1).await;
    let first = world.key(&person, &["wallets:read"]).await;
    let rotated = world.rotate(&person, &first, false).await;
    assert_eq!(rotated.status, 200, "{rotated:?}");
    let second = Key::of(&rotated);
    assert_eq!(second.id, first.id);
    let ends = |answer: &Answer| -> Vec<String> {
        let secrets = answer.body["apiKey"]["secrets"].as_array().unwrap();
        secrets.iter().map(|secret| secret["validUntil"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ends(&rotated), ["2026-03-31T12:00:00Z", "2026-03-02T12:00:00Z"]);
    for key in [&first, &second] {
        assert_eq!(world.exchange(key).await.status, 200);
    }
    // A token of the old secret does not outlive it.
    world.advance(24 * 3600 - 60);
    assert_eq!(world.exchange(&first).await.body["expires_in"], 60);
    assert_eq!(world.exchange(&second).await.body["expires_in"], 900);
    world.advance(60);
    assert_eq!(refused(&world.exchange(&first).await), (401, "invalid_client"));
    assert!(world.events("identity.session.ended").await.is_empty(), "it ended by itself");
    assert_eq!(world.events("identity.api_key.rotated").await.len(), 1);
}

#[tokio::test]
async fn a_secret_that_somebody_else_has_is_replaced_at_once() {
    let world = World::start().await;
    let person = world.register(1).await;
    let first = world.key(&person, &["wallets:read"]).await;
    let stolen = claims(&world.exchange(&first).await);
    let second = Key::of(&world.rotate(&person, &first, false).await);
    let third = Key::of(&world.rotate(&person, &first, true).await);
    for gone in [&first, &second] {
        assert_eq!(refused(&world.exchange(gone).await), (401, "invalid_client"));
    }
    assert_eq!(world.exchange(&third).await.status, 200);
    let ended = world.events("identity.session.ended").await;
    let sessions: Vec<&Value> = ended.iter().map(|event| &event["data"]["sessionId"]).collect();
    assert_eq!(sessions.len(), 2);
    assert!(sessions.contains(&&stolen["sid"]), "what was got with the stolen secret is refused");
    assert_eq!(ended[0]["data"]["refusedUntil"], "2026-03-01T12:16:00Z");
}

/// With an overlap shorter than a token's life a secret ends before its tokens do.
#[tokio::test]
async fn replacing_it_at_once_also_ends_tokens_of_secrets_that_had_ended_before() {
    let world = World::configured(false, |config| config.api_keys.overlap = Duration::from_mins(1)).await;
    let person = world.register(1).await;
    let first = world.key(&person, &["wallets:read"]).await;
    let session = |token: &Answer| claims(token)["sid"].clone();
    let stolen = session(&world.exchange(&first).await);
    let second = Key::of(&world.rotate(&person, &first, false).await);
    let held = session(&world.exchange(&second).await);
    world.advance(10 * 60);
    assert_eq!(refused(&world.exchange(&first).await), (401, "invalid_client"), "its secret has ended");
    assert!(
        world.events("identity.session.ended").await.is_empty(),
        "and its token goes on for five minutes"
    );

    let third = Key::of(&world.rotate(&person, &second, true).await);
    let ended = world.events("identity.session.ended").await;
    let sessions: Vec<&Value> = ended.iter().map(|event| &event["data"]["sessionId"]).collect();
    assert_eq!(sessions.len(), 2, "{sessions:?}");
    assert!(sessions.contains(&&stolen) && sessions.contains(&&held), "{sessions:?}");
    assert!(ended.iter().all(|event| event["data"]["refusedUntil"] == "2026-03-01T12:26:00Z"));
    assert_eq!(world.exchange(&third).await.status, 200);

    // What ended so long ago that no token of it is left is not told again.
    world.advance(16 * 60 + 1);
    let person = Person::of(&world.log_in(&person.email, PASSWORD).await);
    assert_eq!(world.rotate(&person, &third, true).await.status, 200);
    assert_eq!(world.events("identity.session.ended").await.len(), 3);
}

#[tokio::test]
async fn a_revoked_key_takes_its_tokens_with_it() {
    let world = World::start().await;
    let (ada, bola) = (world.register(1).await, world.register(2).await);
    let key = world.key(&ada, &["wallets:read"]).await;
    let token = claims(&world.exchange(&key).await);
    assert_eq!(world.revoke(&bola, &key).await.code(), refusal(404, "not_found"), "somebody else's");
    assert_eq!(world.exchange(&key).await.status, 200);
    for _ in 0..2 {
        assert_eq!(world.revoke(&ada, &key).await.status, 204);
    }
    assert_eq!(refused(&world.exchange(&key).await), (401, "invalid_client"));
    let ended = world.events("identity.session.ended").await;
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0]["data"]["sessionId"], token["sid"]);
    assert_eq!(ended[0]["data"]["reason"], "api_key_revoked");
    assert_eq!(ended[0]["actor"], format!("user:{}", ada.id));
    assert_eq!(world.events("identity.api_key.revoked").await.len(), 1);
    assert_eq!(world.get(KEYS, Some(&ada.access)).await.body, json!({ "items": [], "nextCursor": null }));
    assert_eq!(world.rotate(&ada, &key, true).await.code(), refusal(404, "not_found"));
}
