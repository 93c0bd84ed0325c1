//! `POST /login`.

use std::time::{Duration, Instant};

use identity_service::config::PasswordConfig;
use serde_json::{Value, json};

use crate::support::{NOWHERE, PASSWORD, World, invalid, kyc_at, refusal};

#[tokio::test]
async fn by_address_or_number_in_any_spelling() {
    let world = World::start().await;
    let person = world.register(1).await;
    for identifier in ["person1@example.com", "Person1@EXAMPLE.com", "+2348030000001", "08030000001"] {
        let body = json!({ "identifier": identifier, "password": PASSWORD });
        let signed_in = world.post("/login", &body).await;
        assert_eq!(signed_in.status, 200, "{identifier}");
        assert_eq!(signed_in.body["user"]["id"], person.id);
        let access = signed_in.body["tokens"]["accessToken"].as_str().unwrap();
        assert_eq!(world.me(access).await.status, 200);
    }
}

/// Everything but the correlation id, which is another one each time.
async fn refused(world: &World, identifier: &str, password: &str) -> Value {
    let mut answer = world.post("/login", &json!({ "identifier": identifier, "password": password })).await;
    assert_eq!(answer.code(), refusal(401, "invalid_credentials"), "{identifier:?}");
    assert_eq!(answer.headers["www-authenticate"], "Bearer");
    answer.body.as_object_mut().unwrap().remove("correlationId");
    answer.body
}

#[tokio::test]
async fn unknown_and_wrong_get_the_same_answer() {
    let world = World::start().await;
    world.register(1).await;
    let wrong = refused(&world, "person1@example.com", "not the password").await;
    for (identifier, password) in [
        ("nobody@example.com", PASSWORD),
        ("+2348039999999", PASSWORD),
        ("neither address nor number", PASSWORD),
        ("person1@example.com\u{1}", PASSWORD),
        ("' OR 1=1 --", PASSWORD),
        ("", ""),
        ("person1@example.com", ""),
        ("person1@example.com", "Correct horse battery staple"),
        ("person1@example.com", "correct horse battery staple "),
    ] {
        assert_eq!(refused(&world, identifier, password).await, wrong, "{identifier:?}");
    }
}

#[tokio::test]
async fn unknown_and_wrong_take_as_long() {
    let world = World::with(kyc_at(NOWHERE), PasswordConfig { memory_kib: 19_456, passes: 2 }).await;
    world.register(1).await;
    let mut fastest = [Duration::MAX; 2];
    for _ in 0..12 {
        // What failed before does not have it wait.
        world.advance(86_400);
        for (fastest, identifier) in fastest.iter_mut().zip(["person1@example.com", "nobody@example.com"]) {
            let started = Instant::now();
            refused(&world, identifier, "not the password").await;
            *fastest = started.elapsed().min(*fastest);
        }
    }
    // The fastest of many tells what the work itself takes. Without the hashing, the unknown one would take a
    // fraction of it.
    let [wrong, unknown] = fastest;
    assert!(unknown * 2 > wrong && wrong * 2 > unknown, "wrong {wrong:?}, unknown {unknown:?}");
}

#[tokio::test]
async fn an_account_that_is_not_active_stays_outside() {
    let world = World::start().await;
    let person = world.register(1).await;
    for status in ["suspended", "closed"] {
        sqlx::query("UPDATE users SET status = $1").bind(status).execute(&world.db.pool).await.unwrap();
        let login = |password: &str| json!({ "identifier": "person1@example.com", "password": password });
        assert_eq!(world.post("/login", &login(PASSWORD)).await.code(), refusal(403, "forbidden"));
        assert_eq!(
            world.post("/login", &login("not the password")).await.code(),
            refusal(401, "invalid_credentials")
        );
        assert_eq!(world.refresh(&person.refresh).await.code(), refusal(403, "forbidden"));
    }
    sqlx::query("UPDATE users SET status = 'active'").execute(&world.db.pool).await.unwrap();
    assert_eq!(world.refresh(&person.refresh).await.status, 200);
}

#[tokio::test]
async fn a_body_that_does_not_fit_is_refused() {
    let world = World::start().await;
    let problem = async |body: Value| world.post("/login", &body).await.problem();
    let long = "x".repeat(1025);
    assert_eq!(problem(json!({ "identifier": "a" })).await, invalid("password", "required"));
    assert_eq!(
        problem(json!({ "identifier": 1, "password": "a" })).await,
        invalid("identifier", "wrong_type")
    );
    assert_eq!(
        problem(json!({ "identifier": long, "password": "a" })).await,
        invalid("identifier", "length")
    );
    assert_eq!(problem(json!({ "identifier": "a", "password": long })).await, invalid("password", "length"));
    assert_eq!(
        problem(json!({ "identifier": "a", "password": "a", "otp": "1" })).await,
        invalid("otp", "unknown_field")
    );
}

#[tokio::test]
async fn nothing_that_signs_somebody_in_is_stored() {
    let world = World::start().await;
    let person = world.register(1).await;
    let dump = world.dump().await;
    assert!(dump.contains("$argon2id$") && dump.contains(&person.id));
    let hex_of_token = hex_of(&person.refresh);
    for secret in [PASSWORD, &person.refresh, &hex_of_token, &person.access] {
        assert!(!dump.contains(secret), "{secret} is in the database");
    }
}

/// As Postgres shows the bytes of a token, were they stored.
fn hex_of(token: &str) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    hex::encode(URL_SAFE_NO_PAD.decode(token).unwrap())
}
