//! `POST /step-up`, and the calls that ask for it.

use chrono::DateTime;
use common_auth::{Assurance, Claims, signing::TokenSigner, testing};
use common_utils::clock::Clock;
use futures::future::join_all;
use serde_json::json;

use crate::{
    factors::{Enrolled, access_of, asked_for, by_totp, claims, enrolled, proof, remove, step_up},
    passwords::{NEW, change},
    support::{Answer, PASSWORD, Person, World, invalid, refusal},
};

const STEP: i64 = 30;

async fn by_password(world: &World, token: &str, password: &str) -> Answer {
    step_up(world, token, json!({ "method": "password", "password": password })).await
}

/// The calls that take the password, and more from who has a second factor.
async fn sensitive(world: &World, token: &str) -> Vec<Answer> {
    let with_password = |field: &str, value: &str| json!({ field: value, "currentPassword": PASSWORD });
    vec![
        world.post_as(token, "/me/email", &with_password("email", "new@example.com")).await,
        world.post_as(token, "/me/phone", &with_password("phoneNumber", "+2348030099999")).await,
        world.post_as(token, "/password/change", &with_password("newPassword", NEW)).await,
        world.post_as(token, "/me/deactivate", &json!({ "currentPassword": PASSWORD })).await,
    ]
}

#[tokio::test]
async fn the_password_is_a_proof_of_who_has_nothing_else() {
    let world = World::start().await;
    let person = world.register(1).await;
    world.advance(600);
    let proved = by_password(&world, &person.access, PASSWORD).await;
    assert_eq!(proved.body["tokens"]["expiresIn"], 900);
    assert!(proved.body["tokens"].get("refreshToken").is_none(), "the one of before goes on");
    let access = access_of(&proved);
    let now = json!(world.clock.now().timestamp());
    assert_eq!(proof(&access), (json!(["pwd"]), json!("aal1"), now.clone()));
    assert_eq!(claims(&access)["sid"], json!(person.session()));
    let refreshed = world.refresh(&person.refresh).await;
    assert_eq!(proof(refreshed.body["tokens"]["accessToken"].as_str().unwrap()).2, now);

    let wrong = by_password(&world, &person.access, "wrong").await;
    assert_eq!(wrong.problem(), invalid("password", "wrong_password"));
    let not_theirs = by_totp(&world, &person.access, "123456").await;
    assert_eq!(not_theirs.problem(), invalid("method", "not_accepted"));
}

#[tokio::test]
async fn who_has_a_second_factor_gives_that_one() {
    let world = World::start().await;
    let Enrolled { person, app, recovery_codes } = enrolled(&world, 1).await;
    world.advance(301);
    let refused = by_password(&world, &person.access, PASSWORD).await;
    assert_eq!(refused.problem(), invalid("method", "not_accepted"));
    assert!(refused.body["detail"].as_str().unwrap().contains("totp or recovery"), "{refused:?}");
    for refused in sensitive(&world, &person.access).await {
        let (methods, challenge) = asked_for(&refused);
        assert_eq!(methods, json!(["totp", "recovery"]));
        assert!(challenge.ends_with(r#"acr_values="aal2", max_age="300""#), "{challenge}");
    }
    let by_code = access_of(&by_totp(&world, &person.access, &app.code(&world)).await);
    assert_eq!(proof(&by_code).0, json!(["pwd", "otp"]));
    world.advance(301);
    asked_for(&sensitive(&world, &by_code).await[0]);
    let code = json!({ "method": "recovery", "code": recovery_codes[0] });
    let recovered = access_of(&step_up(&world, &by_code, code).await);
    assert_eq!(proof(&recovered).0, json!(["pwd", "otp", "recovery"]));
    let statuses: Vec<u16> = sensitive(&world, &recovered).await.iter().map(|answer| answer.status).collect();
    // The second change of a contact comes too soon after the first.
    assert_eq!(statuses, [202, 429, 204, 422]);
}

/// Without a second factor, they are what they were: the password in the call is the proof.
#[tokio::test]
async fn who_has_none_tells_the_password_in_the_call() {
    let world = World::start().await;
    let person = world.register(1).await;
    world.advance(899);
    assert_eq!(change(&world, &person, PASSWORD, NEW).await.status, 204);
}

#[tokio::test]
async fn a_code_proves_once_also_at_one_moment() {
    let world = World::start().await;
    let Enrolled { person, app, .. } = enrolled(&world, 1).await;
    world.advance(STEP);
    let code = app.code(&world);
    let answers = join_all((0..5).map(|_| by_totp(&world, &person.access, &code))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "{answers:?}");
    for refused in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(refused.code(), refusal(422, "invalid_code"));
    }
}

/// Whoever holds a session and knows the password would else guess codes without end.
#[tokio::test]
async fn the_right_password_gives_no_guess_at_a_code_back() {
    let world = World::start().await;
    let Enrolled { person, app, .. } = enrolled(&world, 1).await;
    world.advance(STEP);
    let wrong = crate::mailbox::other(&app.code(&world));
    for round in 0..2 {
        for _ in 0..5 {
            assert_eq!(by_totp(&world, &person.access, &wrong).await.code(), refusal(422, "invalid_code"));
        }
        let weak = change(&world, &person, PASSWORD, "short").await;
        assert_eq!(weak.status, 422, "{round}: {weak:?}");
        let unchanged = json!({ "email": person.email, "currentPassword": PASSWORD });
        let same = world.post_as(&person.access, "/me/email", &unchanged).await;
        assert_eq!(same.problem(), invalid("email", "unchanged"));
    }
    assert_eq!(by_totp(&world, &person.access, &wrong).await.code(), refusal(429, "rate_limited"));
}

#[tokio::test]
async fn fifty_codes_a_day_are_the_most() {
    let world = World::start().await;
    let Enrolled { mut person, app, .. } = enrolled(&world, 1).await;
    for round in 0..5 {
        world.advance(900);
        let refreshed = world.refresh(&person.refresh).await;
        (person.access, person.refresh) = (access_of(&refreshed), refreshed.refresh_token());
        for _ in 0..10 {
            let refused = by_totp(&world, &person.access, &crate::mailbox::other(&app.code(&world))).await;
            assert_eq!(refused.code(), refusal(422, "invalid_code"), "{round}");
        }
    }
    world.advance(890);
    let refreshed = world.refresh(&person.refresh).await;
    world.advance(20);
    let waits = by_totp(&world, &access_of(&refreshed), &app.code(&world)).await;
    assert_eq!(waits.code(), refusal(429, "rate_limited"));
}

#[tokio::test]
async fn a_session_that_has_ended_proves_nothing() {
    let world = World::start().await;
    let person = world.register(1).await;
    let logout = world.post_as(&person.access, "/logout", &json!({ "refreshToken": person.refresh })).await;
    assert_eq!(logout.status, 204);
    let refused = by_password(&world, &person.access, PASSWORD).await;
    assert_eq!(refused.code(), refusal(401, "unauthenticated"));
}

#[tokio::test]
async fn the_request_says_what_it_gives() {
    let world = World::start().await;
    let person = world.register(1).await;
    for (body, field) in [
        (json!({ "method": "password" }), "password"),
        (json!({ "method": "password", "code": "123456" }), "password"),
        (json!({ "method": "totp" }), "code"),
        (json!({ "method": "recovery", "password": PASSWORD }), "code"),
    ] {
        let refused = step_up(&world, &person.access, body.clone()).await;
        assert_eq!(refused.problem(), invalid(field, "required"), "{body}");
    }
    let unknown = step_up(&world, &person.access, json!({ "method": "sms", "code": "123456" })).await;
    assert_eq!(unknown.code(), refusal(422, "validation_failed"));
}

/// A release of before signs tokens that say nothing of the proof: they are worth a password, given when they were signed.
#[tokio::test]
async fn tokens_of_the_release_before_still_pass() {
    let world = World::start().await;
    let person = world.register(1).await;
    let signer = TokenSigner::load_or_create(world.keys.path()).unwrap();
    let now = testing::claims(person.id.parse().unwrap(), world.clock.now());
    let before = Claims { sid: person.session(), amr: vec![], acr: Assurance::Aal1, auth_time: None, ..now };
    let token = signer.sign(&before).unwrap();
    let told = claims(&token);
    assert!(told.get("amr").is_none() && told.get("auth_time").is_none(), "{told}");
    assert_eq!(remove(&world, &token).await.code(), refusal(404, "not_found"), "it is let in");
    world.advance(301);
    asked_for(&remove(&world, &token).await);
    assert_eq!(world.me(&token).await.status, 200);

    // And its sessions are of a password, as old as themselves.
    sqlx::query("UPDATE sessions SET proved_at = NULL").execute(&world.db.pool).await.unwrap();
    let refreshed = access_of(&world.refresh(&person.refresh).await);
    let opened = DateTime::parse_from_rfc3339("2026-03-01T12:00:00Z").unwrap().timestamp();
    assert_eq!(proof(&refreshed), (json!(["pwd"]), json!("aal1"), json!(opened)));
    // A token that knows of no second factor does not pass by where there is one.
    let enrolled = enrolled(&world, 2).await.person;
    let now = testing::claims(enrolled.id.parse().unwrap(), world.clock.now());
    let before = signer.sign(&Claims { sid: Person::session(&enrolled), ..now }).unwrap();
    assert_eq!(remove(&world, &before).await.code(), refusal(401, "token_expired"));
}
