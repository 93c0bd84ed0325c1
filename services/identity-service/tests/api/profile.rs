//! `GET` and `PATCH /me`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, Person, World, answer, invalid, refusal};

async fn change(world: &World, person: &Person, body: &Value) -> Answer {
    answer(world.request(Method::PATCH, "/api/v1/identity/me").bearer_auth(&person.access).json(body)).await
}

#[tokio::test]
async fn names_are_changed_and_told() {
    let world = World::start().await;
    let person = world.register(1).await;
    let changed = change(&world, &person, &json!({ "firstName": "  Adaeze " })).await;
    assert_eq!(changed.status, 200);
    assert_eq!(
        (&changed.body["user"]["firstName"], &changed.body["user"]["lastName"]),
        (&json!("Adaeze"), &json!("Obi"))
    );
    assert_eq!(world.me(&person.access).await.body, changed.body);
    // What is so already is not told again.
    for body in [json!({ "firstName": "Adaeze" }), json!({}), json!({ "lastName": null })] {
        assert_eq!(change(&world, &person, &body).await.body, changed.body);
    }
    let events = world.events("identity.user.updated").await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["data"]["firstName"], "Adaeze");
}

#[tokio::test]
async fn nothing_else_can_be_changed() {
    let world = World::start().await;
    let person = world.register(1).await;
    for field in ["id", "email", "roles", "kycTier", "status"] {
        let refused = change(&world, &person, &json!({ field: "admin" })).await;
        assert_eq!(refused.problem(), invalid(field, "unknown_field"));
    }
    for wrong in ["", "  ", "A\nB", &"x".repeat(101)] {
        let refused = change(&world, &person, &json!({ "lastName": wrong })).await;
        assert_eq!(refused.problem(), invalid("lastName", "invalid"), "{wrong:?}");
    }
    assert_eq!(
        change(&world, &person, &json!({ "lastName": 7 })).await.problem(),
        invalid("lastName", "wrong_type")
    );
    let nobody = answer(world.request(Method::PATCH, "/api/v1/identity/me").json(&json!({}))).await;
    assert_eq!(nobody.code(), refusal(401, "unauthenticated"));
}

#[tokio::test]
async fn verified_names_stay() {
    let world = World::start().await;
    let person = world.register(1).await;
    sqlx::query("UPDATE users SET kyc_tier = 1").execute(&world.db.pool).await.unwrap();
    let refused = change(&world, &person, &json!({ "firstName": "Bola" })).await;
    assert_eq!(refused.code(), refusal(409, "conflict"));
    assert_eq!(change(&world, &person, &json!({ "firstName": "Ada" })).await.status, 200);
}

/// While a newer release is being rolled out, people may have roles that this one does not know.
#[tokio::test]
async fn a_role_of_a_newer_release_is_kept_and_allows_nothing() {
    let world = World::start().await;
    let person = world.register(1).await;
    for statement in [
        "ALTER TABLE users DROP CONSTRAINT users_roles_known",
        "UPDATE users SET roles = '{user,auditor,support}'",
    ] {
        sqlx::query(statement).execute(&world.db.pool).await.unwrap();
    }
    let login = world.post("/login", &json!({ "identifier": person.email, "password": PASSWORD })).await;
    assert_eq!(login.status, 200, "{login:?}");
    let person = Person::of(&login);
    let me = world.me(&person.access).await;
    assert_eq!((me.status, &me.body["user"]["roles"]), (200, &json!(["user", "support"])));

    let changed = change(&world, &person, &json!({ "firstName": "Adaeze" })).await;
    assert_eq!(changed.status, 200);
    let kept = ["user", "support", "auditor"];
    let stored: Vec<String> =
        sqlx::query_scalar("SELECT roles FROM users").fetch_one(&world.db.pool).await.unwrap();
    assert_eq!(stored, kept);
    assert_eq!(world.events("identity.user.updated").await[0]["data"]["roles"], json!(kept));
}
