//! `POST /login` of who has a second factor, and `POST /mfa/verify`.

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    factors::{App, Enrolled, challenged, claims, enrolled, proof, verify},
    mailbox::{self, other},
    passwords::{NEW, change},
    support::{Answer, PASSWORD, Person, World, answer, invalid, refusal},
};

const STEP: i64 = 30;

/// Codes that were right and lead nowhere any more.
fn is_wrong(answer: &Answer) {
    assert_eq!(answer.code(), refusal(422, "invalid_code"), "{answer:?}");
}

fn is_over(answer: &Answer) {
    assert_eq!(answer.code(), refusal(422, "challenge_expired"), "{answer:?}");
}

async fn verify_from(world: &World, address: &str, challenge: &str, code: &str) -> Answer {
    let body = json!({ "challengeId": challenge, "method": "totp", "code": code });
    let request = world.request(Method::POST, "/api/v1/identity/mfa/verify");
    answer(request.header("x-forwarded-for", address).json(&body)).await
}

#[tokio::test]
async fn the_password_and_a_code_sign_in() {
    let world = World::start().await;
    let Enrolled { person, app, .. } = enrolled(&world, 1).await;
    world.advance(STEP);
    let login = world.log_in(&person.phone, PASSWORD).await;
    assert_eq!((login.status, &login.body["mfaRequired"]), (200, &json!(true)));
    assert_eq!(login.body["methods"], json!(["totp", "recovery"]));
    let challenge = login.body["challengeId"].as_str().unwrap();
    let signed_in = Person::of(&verify(&world, challenge, "totp", &app.code(&world)).await);
    assert_eq!(signed_in.id, person.id);
    assert_eq!(world.me(&signed_in.access).await.status, 200);
    let at = json!("2026-03-01T12:00:30Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp());
    assert_eq!(proof(&signed_in.access), (json!(["pwd", "otp"]), json!("aal2"), at.clone()));
    // Refreshing carries on how the session was proved, and when.
    world.advance(800);
    let refreshed = world.refresh(&signed_in.refresh).await;
    let access = refreshed.body["tokens"]["accessToken"].as_str().unwrap();
    assert_eq!(proof(access), (json!(["pwd", "otp"]), json!("aal2"), at));
    assert_eq!(claims(access)["factors"], json!(["otp", "recovery"]));
}

#[tokio::test]
async fn a_challenge_is_good_once_and_so_is_a_code() {
    let world = World::start().await;
    let Enrolled { person, app, .. } = enrolled(&world, 1).await;
    world.advance(STEP);
    let (first, second) = (challenged(&world, &person).await, challenged(&world, &person).await);
    let code = app.code(&world);
    assert_eq!(verify(&world, &first, "totp", &code).await.status, 200);
    is_over(&verify(&world, &first, "totp", &code).await);
    is_wrong(&verify(&world, &second, "totp", &code).await);
    // Nor one of before it, though its time is not over.
    is_wrong(&verify(&world, &second, "totp", &app.code_in(&world, -STEP)).await);
    assert_eq!(verify(&world, &second, "totp", &app.code_in(&world, STEP)).await.status, 200);
}

#[tokio::test]
async fn one_code_at_one_moment_signs_in_once() {
    let world = World::start().await;
    let Enrolled { person, app, recovery_codes } = enrolled(&world, 1).await;
    world.advance(STEP);
    for (method, code) in [("totp", app.code(&world)), ("recovery", recovery_codes[0].clone())] {
        let challenges = join_all((0..4).map(|_| challenged(&world, &person))).await;
        let tries = challenges.iter().map(|challenge| verify(&world, challenge, method, &code));
        let answers = join_all(tries).await;
        let signed_in = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(signed_in, 1, "{method}: {answers:?}");
        answers.iter().filter(|answer| answer.status != 200).for_each(is_wrong);
        // Nor does one challenge twice, whatever code comes with it.
        world.advance(STEP);
        let challenge = challenged(&world, &person).await;
        let codes = [app.code(&world), app.code_in(&world, STEP)];
        let answers = join_all(codes.iter().map(|code| verify(&world, &challenge, "totp", code))).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "{answers:?}");
        world.advance(2 * STEP);
    }
}

#[tokio::test]
async fn five_wrong_codes_end_a_challenge() {
    let world = World::start().await;
    let Enrolled { person, app, .. } = enrolled(&world, 1).await;
    world.advance(STEP);
    let challenge = challenged(&world, &person).await;
    let wrong = other(&app.code(&world));
    // From many places, so that none of them has to wait.
    for place in 0..5 {
        is_wrong(&verify_from(&world, &format!("203.0.113.{place}"), &challenge, &wrong).await);
    }
    is_over(&verify_from(&world, "203.0.113.9", &challenge, &app.code(&world)).await);
    let next = challenged(&world, &person).await;
    assert_eq!(verify_from(&world, "203.0.113.9", &next, &app.code(&world)).await.status, 200);
}

#[tokio::test]
async fn wrong_codes_at_one_moment_are_all_counted() {
    let world = World::start().await;
    let Enrolled { person, app, .. } = enrolled(&world, 1).await;
    world.advance(STEP);
    let challenge = challenged(&world, &person).await;
    let wrong = other(&app.code(&world));
    let places: Vec<String> = (0..12).map(|place| format!("203.0.113.{place}")).collect();
    let answers = join_all(places.iter().map(|place| verify_from(&world, place, &challenge, &wrong))).await;
    let told = |code: &str| answers.iter().filter(|answer| answer.code() == refusal(422, code)).count();
    assert_eq!((told("invalid_code"), told("challenge_expired")), (5, 7));
}

/// The right password gives nobody who guesses codes a fresh start.
#[tokio::test]
async fn wrong_codes_wait_as_wrong_passwords_do() {
    let world = World::start().await;
    let Enrolled { person, app, .. } = enrolled(&world, 1).await;
    world.advance(STEP);
    let wrong = other(&app.code(&world));
    for _ in 0..5 {
        let challenge = challenged(&world, &person).await;
        is_wrong(&verify(&world, &challenge, "totp", &wrong).await);
    }
    let challenge = challenged(&world, &person).await;
    let held_back = verify(&world, &challenge, "totp", &app.code(&world)).await;
    assert_eq!(held_back.code(), refusal(429, "too_many_attempts"));
    assert_eq!(held_back.headers["retry-after"], "1");
    world.advance(1);
    assert_eq!(verify(&world, &challenge, "totp", &app.code(&world)).await.status, 200);
    // With that, what failed before is over.
    world.advance(STEP);
    for _ in 0..5 {
        let challenge = challenged(&world, &person).await;
        is_wrong(&verify(&world, &challenge, "totp", &wrong).await);
    }
}

/// However often somebody mistypes: who waits as long as they are told gets in, and their password is never held back.
#[tokio::test]
async fn who_waits_gets_in_after_many_wrong_codes() {
    let world = World::start().await;
    let Enrolled { person, app, .. } = enrolled(&world, 1).await;
    world.advance(STEP);
    for _ in 0..20 {
        let challenge = challenged(&world, &person).await;
        is_wrong(&verify(&world, &challenge, "totp", &other(&app.code(&world))).await);
        world.advance(900);
    }
    let challenge = challenged(&world, &person).await;
    assert_eq!(verify(&world, &challenge, "totp", &app.code(&world)).await.status, 200);
}

/// Nor does anybody hold somebody's second factor back who does not know the password.
#[tokio::test]
async fn wrong_passwords_are_no_wrong_codes() {
    let world = World::start().await;
    let Enrolled { person, app, .. } = enrolled(&world, 1).await;
    world.advance(STEP);
    let challenge = challenged(&world, &person).await;
    for guessed in [person.email.clone(), format!("SECOND-FACTOR:{}", person.id)] {
        for _ in 0..5 {
            assert_eq!(world.log_in(&guessed, "wrong").await.status, 401, "{guessed}");
        }
        assert_eq!(world.log_in(&guessed, "wrong").await.status, 429, "{guessed}");
    }
    assert_eq!(verify(&world, &challenge, "totp", &app.code(&world)).await.status, 200);
}

#[tokio::test]
async fn strangers_who_know_the_password_wait_after_twenty_wrong_codes() {
    let world = World::start().await;
    let Enrolled { person, app, .. } = enrolled(&world, 1).await;
    world.advance(STEP);
    let wrong = other(&app.code(&world));
    for group in 0..4 {
        let challenge = challenged(&world, &person).await;
        for place in 0..5 {
            let address = format!("203.0.113.{}", group * 5 + place);
            is_wrong(&verify_from(&world, &address, &challenge, &wrong).await);
        }
    }
    let challenge = challenged(&world, &person).await;
    let waits = verify_from(&world, "198.51.100.1", &challenge, &app.code(&world)).await;
    assert_eq!(waits.code(), refusal(429, "too_many_attempts"));
    assert_eq!(world.events("identity.user.locked").await.len(), 1);
    // At home, the owner goes in and out.
    assert_eq!(verify(&world, &challenge, "totp", &app.code(&world)).await.status, 200);
}

/// What a challenge looks like is seen only by who knows the password.
#[tokio::test]
async fn a_wrong_password_is_never_told_of_a_second_factor() {
    let world = World::start().await;
    let with = enrolled(&world, 1).await.person;
    let without = world.register(2).await;
    let mut said: Vec<Value> = Vec::new();
    for identifier in [&with.email, &without.email, "nobody@example.com"] {
        let mut refused = world.log_in(identifier, "wrong").await;
        assert_eq!(refused.status, 401, "{refused:?}");
        refused.body.as_object_mut().unwrap().remove("correlationId");
        said.push(refused.body);
    }
    assert!(said[0] == said[1] && said[1] == said[2], "{said:?}");
    let entered = world.log_in(&without.email, PASSWORD).await;
    assert!(entered.body.get("mfaRequired").is_none() && entered.body.get("tokens").is_some());
}

#[tokio::test]
async fn a_challenge_ends_with_its_time_and_with_another_password() {
    let (world, mailbox) = mailbox::world().await;
    let Enrolled { person, app, .. } = enrolled(&world, 1).await;
    sqlx::query("UPDATE users SET email_verified = true").execute(&world.db.pool).await.unwrap();
    let challenge = challenged(&world, &person).await;
    world.advance(300);
    is_over(&verify(&world, &challenge, "totp", &app.code(&world)).await);
    let unknown = "5Rr0mGZ0J6l1Y0yTQbqk0m2c6cXWl0S1m8pYw3oJ4hQ";
    for nobodys in [unknown, "", "nonsense"] {
        is_over(&verify(&world, nobodys, "totp", &app.code(&world)).await);
    }

    let by_change = challenged(&world, &person).await;
    let fresh = crate::factors::by_totp(&world, &person.access, &app.code(&world)).await;
    let changed = Person { access: crate::factors::access_of(&fresh), ..person.clone() };
    assert_eq!(change(&world, &changed, PASSWORD, NEW).await.status, 204);
    world.advance(STEP);
    is_over(&verify(&world, &by_change, "totp", &app.code(&world)).await);

    let login = world.log_in(&person.email, NEW).await;
    let by_reset = login.body["challengeId"].as_str().unwrap();
    world.post("/password/forgot", &json!({ "identifier": person.email })).await;
    let token = mailbox.token(&person.email, 4).await;
    let reset = world.post("/password/reset", &json!({ "token": token, "newPassword": PASSWORD })).await;
    assert_eq!(reset.status, 204, "{reset:?}");
    is_over(&verify(&world, by_reset, "totp", &app.code(&world)).await);
    // A reset is no way around the second factor of who has proved the address.
    let challenge = challenged(&world, &person).await;
    assert_eq!(verify(&world, &challenge, "totp", &app.code(&world)).await.status, 200);
}

#[tokio::test]
async fn codes_are_read_strictly_and_methods_must_be_theirs() {
    let world = World::start().await;
    let Enrolled { person, app, .. } = enrolled(&world, 1).await;
    world.advance(STEP);
    let challenge = challenged(&world, &person).await;
    for (method, code) in [("totp", "12345"), ("totp", "abcdef"), ("recovery", "123456"), ("recovery", "")] {
        let refused = verify(&world, &challenge, method, code).await;
        assert_eq!(refused.problem(), invalid("code", "invalid"), "{method} {code}");
    }
    for method in ["sms", "password", "pin"] {
        let refused = verify(&world, &challenge, method, &app.code(&world)).await;
        assert_eq!(refused.code(), refusal(422, "validation_failed"), "{method}");
    }
    assert_eq!(verify(&world, &challenge, "totp", &app.code(&world)).await.status, 200, "none of it counted");
}

#[tokio::test]
async fn another_persons_code_opens_nothing() {
    let world = World::start().await;
    let (one, two) = (enrolled(&world, 1).await, enrolled(&world, 2).await);
    world.advance(STEP);
    let challenge = challenged(&world, &one.person).await;
    is_wrong(&verify(&world, &challenge, "totp", &two.app.code(&world)).await);
    is_wrong(&verify(&world, &challenge, "recovery", &two.recovery_codes[0]).await);
    // Nor does a secret that was moved to somebody else's row.
    let moved = "UPDATE totp_factors SET secret = (SELECT secret FROM totp_factors WHERE user_id = $1::uuid)
                 WHERE user_id = $2::uuid";
    sqlx::query(moved).bind(&two.person.id).bind(&one.person.id).execute(&world.db.pool).await.unwrap();
    let refused = verify(&world, &challenge, "totp", &two.app.code(&world)).await;
    assert_eq!(refused.code(), refusal(500, "internal_error"));
}

#[tokio::test]
async fn a_recovery_code_signs_in_once_and_its_owner_is_told() {
    let (world, mailbox) = mailbox::world().await;
    let Enrolled { person, recovery_codes, .. } = enrolled(&world, 1).await;
    assert_eq!(recovery_codes.len(), 10);
    let challenge = challenged(&world, &person).await;
    let typed = recovery_codes[3].to_uppercase().replace('-', " ");
    let signed_in = verify(&world, &challenge, "recovery", &typed).await;
    let person = Person::of(&signed_in);
    let (amr, acr, _) = proof(&person.access);
    assert_eq!((amr, acr), (json!(["pwd", "recovery"]), json!("aal2")));
    let challenge = challenged(&world, &person).await;
    is_wrong(&verify(&world, &challenge, "recovery", &recovery_codes[3]).await);
    let enrolled = world.get("/api/v1/identity/mfa", Some(&person.access)).await;
    assert_eq!(enrolled.body["recoveryCodesLeft"], 9);
    // After the code of registration and the notice of the app.
    mailbox.told(&person.email, 3, "recovery codes was used; 9 are left").await;
}

/// An account that was closed meanwhile lets nobody in.
#[tokio::test]
async fn a_challenge_of_an_account_that_is_not_active_opens_nothing() {
    let world = World::start().await;
    let Enrolled { person, app, .. } = enrolled(&world, 1).await;
    world.advance(STEP);
    let challenge = challenged(&world, &person).await;
    sqlx::query("UPDATE users SET status = 'suspended'").execute(&world.db.pool).await.unwrap();
    let refused = verify(&world, &challenge, "totp", &app.code(&world)).await;
    assert_eq!(refused.code(), refusal(403, "forbidden"));
    assert_eq!(world.log_in(&person.email, PASSWORD).await.code(), refusal(403, "forbidden"));
}

#[tokio::test]
async fn a_phone_whose_clock_is_off_by_a_step_still_signs_in() {
    let world = World::start().await;
    let Enrolled { person, app, .. } = enrolled(&world, 1).await;
    world.advance(600);
    for (off, status) in [(-60, 422), (60, 422), (-30, 200), (30, 200)] {
        let challenge = challenged(&world, &person).await;
        let tried = verify(&world, &challenge, "totp", &app.code_in(&world, off)).await;
        assert_eq!(tried.status, status, "{off}: {tried:?}");
        world.advance(90);
    }
}

/// A registration that is repeated is no way around.
#[tokio::test]
async fn a_repeated_registration_signs_nobody_in_who_has_enrolled() {
    let world = World::start().await;
    let register = async || {
        let request =
            world.request(Method::POST, "/api/v1/identity/register").header("idempotency-key", "k-1");
        answer(request.json(&crate::support::registration(1))).await
    };
    let person = Person::of(&register().await);
    let begun = crate::factors::begin(&world, &person.access).await;
    let app = App::of(begun.body["secret"].as_str().unwrap());
    assert_eq!(crate::factors::confirm(&world, &person.access, &app.code(&world)).await.status, 200);
    assert_eq!(register().await.code(), refusal(422, "idempotency_key_reused"));
}
