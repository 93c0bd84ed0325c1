//! `POST /password/forgot` and `/password/reset`.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::{
    mailbox::{self, until},
    passwords::{NEW, change, log_in, somebody_waits},
    support::{Answer, PASSWORD, World, invalid, refusal},
};

pub(crate) async fn forgot(world: &World, identifier: &str) -> Answer {
    world.post("/password/forgot", &json!({ "identifier": identifier })).await
}

pub(crate) async fn reset(world: &World, token: &str, new: &str) -> Answer {
    world.post("/password/reset", &json!({ "token": token, "newPassword": new })).await
}

#[tokio::test]
async fn who_forgot_resets_with_the_token_and_is_signed_out_everywhere() {
    let (world, mailbox) = mailbox::world().await;
    let person = world.register(1).await;
    let asked = forgot(&world, "Person1@Example.com").await;
    assert_eq!((asked.status, &asked.body), (202, &Value::Null));
    let token = mailbox.token(&person.email, 2).await;
    assert!(!world.dump().await.contains(&token));
    // A password that is refused does not use it up.
    assert_eq!(reset(&world, &token, "password1").await.problem(), invalid("newPassword", "weak_password"));
    let done = reset(&world, &token, NEW).await;
    assert_eq!((done.status, &done.body), (204, &Value::Null), "nobody is signed in");
    assert_eq!(world.refresh(&person.refresh).await.code(), refusal(401, "unauthenticated"));
    assert_eq!(log_in(&world, &person, PASSWORD).await.status, 401);
    assert_eq!(log_in(&world, &person, NEW).await.status, 200);
    assert_eq!(reset(&world, &token, PASSWORD).await.code(), refusal(422, "invalid_reset_token"), "once");
    mailbox.told(&person.email, 3, "Your password was changed").await;
    let events = world.events("identity.user.password_changed").await;
    assert_eq!((events.len(), &events[0]["data"]["reason"]), (1, &json!("reset")));
}

#[tokio::test]
async fn a_token_used_at_the_same_time_sets_one_password() {
    let (world, mailbox) = mailbox::world().await;
    let person = world.register(1).await;
    forgot(&world, &person.email).await;
    let token = mailbox.token(&person.email, 2).await;
    let news: Vec<String> = (0..5).map(|number| format!("{NEW} {number}")).collect();
    let answers = join_all(news.iter().map(|new| reset(&world, &token, new))).await;
    let done: Vec<_> = answers.iter().zip(&news).filter(|(answer, _)| answer.status == 204).collect();
    assert_eq!(done.len(), 1, "{answers:?}");
    assert_eq!(log_in(&world, &person, done[0].1).await.status, 200);
}

#[tokio::test]
async fn a_token_dies_after_an_hour_and_with_the_next_one() {
    let (world, mailbox) = mailbox::world().await;
    let person = world.register(1).await;
    forgot(&world, &person.phone).await;
    let first = mailbox.token(&person.phone, 2).await;
    world.advance(60);
    forgot(&world, &person.phone).await;
    let second = mailbox.token(&person.phone, 3).await;
    let invalid = refusal(422, "invalid_reset_token");
    assert_eq!(reset(&world, &first, NEW).await.code(), invalid);
    world.advance(3600);
    assert_eq!(reset(&world, &second, NEW).await.code(), invalid);
    for nonsense in ["", "x", &"A".repeat(43), &"A".repeat(5000)] {
        assert_eq!(reset(&world, nonsense, NEW).await.code(), invalid);
    }
    assert_eq!(log_in(&world, &person, PASSWORD).await.status, 200);
}

#[tokio::test]
async fn a_changed_password_kills_the_token() {
    let (world, mailbox) = mailbox::world().await;
    let person = world.register(1).await;
    forgot(&world, &person.email).await;
    let token = mailbox.token(&person.email, 2).await;
    assert_eq!(change(&world, &person, PASSWORD, NEW).await.status, 204);
    assert_eq!(reset(&world, &token, PASSWORD).await.code(), refusal(422, "invalid_reset_token"));
}

/// What could differ: status, headers, body, and what was written before the answer.
#[tokio::test]
async fn nobody_learns_by_forgetting_who_is_registered() {
    let world = World::start().await;
    let person = world.register(1).await;
    let mut shown = Vec::new();
    for identifier in [&person.email, &person.phone, "nobody@example.com", "+2348039999999", "nonsense", ""] {
        let answer = forgot(&world, identifier).await;
        let mut names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
        names.sort_unstable();
        let rows: (i64, i64) = sqlx::query_as(
            "SELECT (SELECT count(*) FROM forgotten_passwords), (SELECT count(*) FROM password_resets)",
        )
        .fetch_one(&world.db.pool)
        .await
        .unwrap();
        shown.push((answer.status, answer.body, names, rows.0 - i64::try_from(shown.len()).unwrap(), rows.1));
    }
    assert!(shown.iter().all(|one| *one == shown[0] && one.0 == 202 && one.3 == 1), "{shown:?}");
    let long = forgot(&world, &"x".repeat(1025)).await;
    assert_eq!(long.problem(), invalid("identifier", "length"));
    assert!(!world.dump().await.contains("nobody@example.com"), "what was typed is encrypted");
}

#[tokio::test]
async fn who_is_not_registered_or_not_active_or_asks_too_often_is_sent_nothing() {
    let (world, mailbox) = mailbox::world().await;
    let (person, closed) = (world.register(1).await, world.register(2).await);
    sqlx::query("UPDATE users SET status = 'closed' WHERE email = $1")
        .bind(&closed.email)
        .execute(&world.db.pool)
        .await
        .unwrap();
    for identifier in [&closed.email, "nobody@example.com", &person.email, &person.email] {
        assert_eq!(forgot(&world, identifier).await.status, 202);
    }
    // They are looked up in the order in which they came.
    until("an empty queue", async || {
        let waiting: i64 = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM forgotten_passwords) + (SELECT count(*) FROM notices WHERE status = 'pending')",
        )
        .fetch_one(&world.db.pool)
        .await
        .unwrap();
        (waiting == 0).then_some(())
    })
    .await;
    assert_eq!(mailbox.messages(&person.email).await.len(), 2, "the code, and one token");
    assert_eq!(mailbox.messages(&closed.email).await.len(), 1);
    assert!(mailbox.messages("nobody@example.com").await.is_empty());
}

/// A mistyped address is a stranger's: once the number is verified, tokens go there.
#[tokio::test]
async fn tokens_go_to_what_is_verified() {
    let (world, mailbox) = mailbox::world().await;
    let person = world.register(1).await;
    let code = mailbox.code(&person.phone, 1).await;
    let body = json!({ "code": code });
    assert_eq!(world.post_as(&person.access, "/verification/phone/confirm", &body).await.status, 200);
    forgot(&world, &person.email).await;
    let token = mailbox.token(&person.phone, 2).await;
    assert_eq!(mailbox.messages(&person.email).await.len(), 1);
    assert_eq!(reset(&world, &token, NEW).await.status, 204);
}

/// Somebody registered with another person's address and a number of their own. Whoever reads that address and resets the password
/// has the account to themselves.
#[tokio::test]
async fn a_reset_proves_the_contact_that_its_token_was_sent_to() {
    let (world, mailbox) = mailbox::world().await;
    let person = world.register(1).await;
    forgot(&world, &person.email).await;
    let token = mailbox.token(&person.email, 2).await;
    assert_eq!(reset(&world, &token, NEW).await.status, 204);
    let signed_in = log_in(&world, &person, NEW).await;
    let user = &signed_in.body["user"];
    assert_eq!((&user["emailVerified"], &user["phoneVerified"]), (&json!(true), &json!(false)));
    assert_eq!(world.events("identity.user.updated").await[0]["data"]["emailVerified"], true);
    // The number is not proved, so what is asked for under it goes to the address.
    world.advance(60);
    forgot(&world, &person.phone).await;
    assert_eq!(reset(&world, &mailbox.token(&person.email, 4).await, PASSWORD).await.status, 204);
    assert_eq!(mailbox.messages(&person.phone).await.len(), 1, "the code of the registration");
}

#[tokio::test]
async fn who_was_not_looked_up_for_half_an_hour_is_sent_nothing() {
    let (world, mailbox) = mailbox::world().await;
    let person = world.register(1).await;
    mailbox.code(&person.email, 1).await;
    // Nobody takes it before it is old.
    let mut halt = world.db.pool.begin().await.unwrap();
    sqlx::query("SELECT FROM users FOR UPDATE").execute(&mut *halt).await.unwrap();
    assert_eq!(forgot(&world, &person.email).await.status, 202);
    somebody_waits(&world).await;
    assert_eq!(forgot(&world, &person.email).await.status, 202);
    world.advance(31 * 60);
    halt.rollback().await.unwrap();
    until("an empty queue", async || {
        let waiting: i64 = sqlx::query_scalar("SELECT count(*) FROM forgotten_passwords")
            .fetch_one(&world.db.pool)
            .await
            .unwrap();
        (waiting == 0).then_some(())
    })
    .await;
    mailbox.token(&person.email, 2).await;
    world.advance(60);
    forgot(&world, &person.email).await;
    mailbox.token(&person.email, 3).await;
    assert_eq!(mailbox.messages(&person.email).await.len(), 3, "nothing came of the one that waited");
}

#[tokio::test]
async fn who_cannot_be_answered_holds_up_nobody() {
    let (world, mailbox) = mailbox::world().await;
    let (broken, person) = (world.register(1).await, world.register(2).await);
    sqlx::query("UPDATE users SET first_name = chr(7) WHERE id = $1::uuid")
        .bind(&broken.id)
        .execute(&world.db.pool)
        .await
        .unwrap();
    assert_eq!(forgot(&world, &broken.email).await.status, 202);
    assert_eq!(forgot(&world, &person.email).await.status, 202);
    let token = mailbox.token(&person.email, 2).await;
    assert_eq!(reset(&world, &token, NEW).await.status, 204);
}
