//! `POST /register`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, Person, World, answer, invalid, refusal, registration};

#[tokio::test]
async fn somebody_registers_and_is_signed_in() {
    let world = World::start().await;
    let registered = world.post("/register", &registration(1)).await;
    assert_eq!(registered.status, 201);
    let user = &registered.body["user"];
    let expected = json!({
        "id": user["id"], "email": "person1@example.com", "phoneNumber": "+2348030000001",
        "firstName": "Ada", "lastName": "Obi", "emailVerified": false, "phoneVerified": false, "kycTier": 0,
        "roles": ["user"], "status": "active", "createdAt": "2026-03-01T12:00:00Z",
    });
    assert_eq!(*user, expected);
    let tokens = &registered.body["tokens"];
    assert_eq!((&tokens["tokenType"], &tokens["expiresIn"]), (&json!("Bearer"), &json!(900)));
    let person = Person::of(&registered);
    assert_eq!(world.me(&person.access).await.body, json!({ "user": expected }));

    let events = world.events("identity.user.registered").await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["data"]["userId"], user["id"]);
    assert_eq!(events[0]["data"]["phoneNumber"], "+2348030000001");
    assert_eq!(events[0]["actor"], format!("user:{}", person.id));
    assert_eq!(events[0]["correlationid"], registered.headers["x-correlation-id"].to_str().unwrap());
}

#[tokio::test]
async fn an_address_and_a_number_belong_to_one_person() {
    let world = World::start().await;
    world.register(1).await;
    let with = async |field: &str, value: &str| {
        let mut body = registration(2);
        body[field] = json!(value);
        world.post("/register", &body).await.code()
    };
    assert_eq!(with("email", " PERSON1@Example.com").await, refusal(409, "email_taken"));
    for spelling in ["+2348030000001", "08030000001", "0803 000 0001", "+234 803-000-0001"] {
        assert_eq!(with("phoneNumber", spelling).await, refusal(409, "phone_taken"), "{spelling}");
    }
    assert_eq!(world.events("identity.user.registered").await.len(), 1);
    let people: i64 =
        sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(&world.db.pool).await.unwrap();
    assert_eq!(people, 1);
}

#[tokio::test]
async fn of_many_who_register_at_once_with_one_address_one_does() {
    let world = World::start().await;
    let attempts = (1..=8).map(async |index| {
        let mut body = registration(index);
        body["email"] = json!("same@example.com");
        world.post("/register", &body).await.status
    });
    let mut statuses = futures::future::join_all(attempts).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409, 409, 409]);
}

#[tokio::test]
async fn weak_passwords_are_refused() {
    let world = World::start().await;
    let try_password = async |password: &str| {
        let mut body = registration(1);
        body["password"] = json!(password);
        world.post("/register", &body).await.problem()
    };
    for weak in ["", "short77", "PassWord", "12345678", "ada-loves-rivers", "xxPERSON1xx", "08030000001"] {
        assert_eq!(try_password(weak).await, invalid("password", "weak_password"), "{weak}");
    }
    assert_eq!(try_password(&"x".repeat(129)).await, invalid("password", "length"));
}

#[tokio::test]
async fn every_wrong_field_is_named_at_once() {
    let world = World::start().await;
    let body = json!({
        "email": "nobody", "phoneNumber": "12", "password": "x", "firstName": " ", "lastName": "A\u{1b}[31m",
    });
    let (status, code, errors) = world.post("/register", &body).await.problem();
    assert_eq!((status, code.as_str()), (422, "validation_failed"));
    let fields: Vec<_> = errors.iter().map(|(field, code)| (field.as_str(), code.as_str())).collect();
    assert_eq!(
        fields,
        [
            ("email", "invalid"),
            ("phoneNumber", "invalid"),
            ("firstName", "invalid"),
            ("lastName", "invalid"),
            ("password", "weak_password"),
        ]
    );
}

#[tokio::test]
async fn a_body_that_does_not_fit_is_refused() {
    let world = World::start().await;
    let mut unknown = registration(1);
    unknown["roles"] = json!(["admin"]);
    assert_eq!(world.post("/register", &unknown).await.problem(), invalid("roles", "unknown_field"));
    let mut missing = registration(1);
    missing.as_object_mut().unwrap().remove("email");
    assert_eq!(world.post("/register", &missing).await.problem(), invalid("email", "required"));
    for field in ["email", "password", "firstName"] {
        let mut zero = registration(1);
        zero[field] = json!("with a \u{0} in it");
        assert_eq!(world.post("/register", &zero).await.problem(), invalid(field, "out_of_range"));
    }
    for wrong in [json!(7), Value::Null, json!(["x"])] {
        for field in ["email", "phoneNumber", "password", "firstName", "lastName"] {
            let mut body = registration(1);
            body[field] = wrong.clone();
            assert_eq!(world.post("/register", &body).await.problem(), invalid(field, "wrong_type"));
        }
    }
    let raw = async |kind: &str, body: String| {
        let request = world.request(Method::POST, "/api/v1/identity/register").header("content-type", kind);
        answer(request.body(body)).await.code()
    };
    assert_eq!(raw("application/json", "{\"email\":".to_owned()).await, refusal(400, "malformed_request"));
    assert_eq!(raw("text/plain", "{}".to_owned()).await, refusal(415, "unsupported_media_type"));
    assert_eq!(raw("application/json", " ".repeat(2_000_000)).await, refusal(413, "payload_too_large"));
    assert!(world.events("identity.user.registered").await.is_empty());
}

async fn with_key(world: &World, key: &str, body: &Value) -> Answer {
    let request = world.request(Method::POST, "/api/v1/identity/register");
    answer(request.header("idempotency-key", key).json(body)).await
}

#[tokio::test]
async fn a_repeated_registration_is_answered_again() {
    let world = World::start().await;
    let first = with_key(&world, "key-1", &registration(1)).await;
    let again = with_key(&world, "key-1", &registration(1)).await;
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.body["user"], again.body["user"]);
    assert!(!first.headers.contains_key("idempotent-replayed"));
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(world.me(&Person::of(&again).access).await.status, 200);
    assert_eq!(world.events("identity.user.registered").await.len(), 1);

    let mut other_name = registration(1);
    other_name["firstName"] = json!("Bola");
    let mut other_password = registration(1);
    other_password["password"] = json!(format!("{PASSWORD}!"));
    for body in [other_name, other_password] {
        assert_eq!(with_key(&world, "key-1", &body).await.code(), refusal(422, "idempotency_key_reused"));
    }
    // Somebody else's key is another key.
    assert_eq!(with_key(&world, "key-1", &registration(2)).await.status, 201);
    assert_eq!(
        with_key(&world, &"x".repeat(256), &registration(3)).await.problem(),
        invalid("Idempotency-Key", "invalid")
    );
    // A registration that was refused leaves its key unused.
    assert_eq!(with_key(&world, "key-2", &registration(1)).await.code(), refusal(409, "email_taken"));
    let kept: i64 =
        sqlx::query_scalar("SELECT count(*) FROM idempotency_keys").fetch_one(&world.db.pool).await.unwrap();
    assert_eq!(kept, 2);
}

#[tokio::test]
async fn the_same_key_at_the_same_moment_registers_once() {
    let world = World::start().await;
    let attempts = (0..6).map(async |_| with_key(&world, "key-1", &registration(1)).await);
    let answers = futures::future::join_all(attempts).await;
    assert!(answers.iter().all(|answer| answer.status == 201), "{answers:?}");
    let replayed = answers.iter().filter(|answer| answer.headers.contains_key("idempotent-replayed")).count();
    assert_eq!(replayed, 5);
    assert_eq!(world.events("identity.user.registered").await.len(), 1);
}
