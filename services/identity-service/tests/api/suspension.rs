//! `identity-service users suspend` and `unsuspend`, and what they mean at the API.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    command::run,
    support::{Answer, PASSWORD, Person, World, answer, refusal},
};

/// An API key of the person's: its id and secret.
async fn api_key(world: &World, person: &Person) -> (String, String) {
    let body = json!({
        "name": "Shop", "scopes": ["wallets:read"], "expiresInDays": 30, "currentPassword": PASSWORD,
    });
    let made = world.post_as(&person.access, "/api-keys", &body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made.body["apiKey"]["id"]), text(&made.body["clientSecret"]))
}

async fn exchange(world: &World, (id, secret): &(String, String)) -> Answer {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", id.as_str()),
        ("client_secret", secret.as_str()),
    ];
    answer(world.request(Method::POST, "/api/v1/identity/oauth/token").form(&form)).await
}

/// Messages that wait: the command's clock is ahead of the service's here.
async fn notices(world: &World) -> i64 {
    let waiting = "SELECT count(*) FROM notices WHERE kind = 'account_suspended' AND channel = 'email'";
    sqlx::query_scalar(waiting).fetch_one(&world.db.pool).await.unwrap()
}

#[tokio::test]
async fn who_is_suspended_is_out_at_once_with_their_machines() {
    let world = World::start().await;
    let person = world.register(1).await;
    let elsewhere = Person::of(&world.log_in(&person.phone, PASSWORD).await);
    let key = api_key(&world, &person).await;
    assert_eq!(exchange(&world, &key).await.status, 200);

    let suspend = ["suspend", "--email", person.email.as_str()];
    let (status, text) = run(&world, &suspend, "").await;
    assert!(status == 0 && text.contains("is suspended"), "{text}");
    for session in [&person, &elsewhere] {
        assert_eq!(world.me(&session.access).await.code(), refusal(401, "unauthenticated"));
        assert_eq!(world.refresh(&session.refresh).await.code(), refusal(401, "unauthenticated"));
    }
    assert_eq!(world.log_in(&person.email, PASSWORD).await.code(), refusal(403, "forbidden"));
    let refused = exchange(&world, &key).await;
    assert_eq!((refused.status, &refused.body["error"]), (401, &json!("invalid_client")), "{refused:?}");
    assert_eq!(notices(&world).await, 1, "the person is written to");
    let ended = world.events("identity.session.ended").await;
    let reasons: Vec<&Value> = ended.iter().map(|event| &event["data"]["reason"]).collect();
    assert_eq!(reasons, [&json!("suspended"), &json!("suspended")]);
    let updated = world.events("identity.user.updated").await;
    assert_eq!((updated.len(), &updated[0]["data"]["status"]), (1, &json!("suspended")));

    let (status, text) = run(&world, &suspend, "").await;
    assert!(status == 0 && text.contains("already"), "{text}");
    assert_eq!((world.events("identity.user.updated").await.len(), notices(&world).await), (1, 1));

    let (status, text) = run(&world, &["unsuspend", "--email", &person.email], "").await;
    assert!(status == 0 && text.contains("is active again"), "{text}");
    assert_eq!(world.log_in(&person.email, PASSWORD).await.status, 200);
    assert_eq!(world.me(&person.access).await.code(), refusal(401, "unauthenticated"), "sessions stay ended");
    assert_eq!(exchange(&world, &key).await.status, 200);
    assert_eq!(notices(&world).await, 2);
    assert_eq!(world.events("identity.user.updated").await[1]["data"]["status"], "active");
}

#[tokio::test]
async fn what_its_owner_closed_is_not_suspended_and_nobody_not_at_all() {
    let world = World::start().await;
    let person = world.register(1).await;
    let (status, text) = run(&world, &["unsuspend", "--email", &person.email], "").await;
    assert!(status == 0 && text.contains("active already"), "{text}");
    let body = json!({ "currentPassword": PASSWORD });
    assert_eq!(world.post_as(&person.access, "/me/deactivate", &body).await.status, 204);
    for command in ["suspend", "unsuspend"] {
        let (status, text) = run(&world, &[command, "--email", &person.email], "").await;
        assert!(status == 2 && text.contains("closed by its owner"), "{text}");
        let (status, text) = run(&world, &[command, "--email", "nobody@example.com"], "").await;
        assert!(status == 4 && text.contains("no account"), "{text}");
    }
    assert_eq!(world.log_in(&person.email, PASSWORD).await.code(), refusal(403, "forbidden"));
}
