//! `/mfa/totp`, `/mfa/recovery-codes` and `GET /mfa`.

use base64::{Engine, engine::general_purpose::STANDARD};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    command::run,
    factors::{
        App, Enrolled, access_of, asked_for, begin, by_totp, challenged, claims, confirm, enrolled, proof,
        remove, step_up, verify,
    },
    mailbox::{self, other},
    support::{Answer, NOWHERE, PASSWORD, Person, World, answer, kyc_at, refusal},
};

const STEP: i64 = 30;

async fn mfa(world: &World, token: &str) -> Value {
    world.get("/api/v1/identity/mfa", Some(token)).await.body
}

async fn renew(world: &World, token: &str) -> Answer {
    answer(world.request(Method::POST, "/api/v1/identity/mfa/recovery-codes").bearer_auth(token)).await
}

#[tokio::test]
async fn an_app_is_begun_confirmed_and_asked_for() {
    let (world, mailbox) = mailbox::world().await;
    let person = world.register(1).await;
    assert_eq!(
        mfa(&world, &person.access).await,
        json!({ "methods": [], "totpSince": null, "recoveryCodesLeft": 0 })
    );
    let begun = begin(&world, &person.access).await;
    assert_eq!(begun.status, 200, "{begun:?}");
    let text = |name: &str| begun.body[name].as_str().unwrap().to_owned();
    let secret = text("secret");
    let uri = format!("otpauth://totp/Wallet:person1%40example.com?secret={secret}&issuer=Wallet");
    assert_eq!((secret.len(), text("otpauthUri")), (32, uri));
    let image = text("qrCode").strip_prefix("data:image/svg+xml;base64,").map(|data| STANDARD.decode(data));
    let image = String::from_utf8(image.unwrap().unwrap()).unwrap();
    assert!(image.contains("<svg") && image.ends_with("</svg>"), "{image}");
    // Nothing is asked for before it is confirmed.
    assert!(world.log_in(&person.email, PASSWORD).await.body.get("tokens").is_some());

    let app = App::of(&secret);
    let confirmed = confirm(&world, &person.access, &app.code(&world)).await;
    let access = access_of(&confirmed);
    let (amr, acr, _) = proof(&access);
    assert_eq!((amr, acr), (json!(["pwd", "otp"]), json!("aal2")));
    assert_eq!(claims(&access)["sid"], json!(person.session()));
    let expected = json!({
        "methods": ["totp", "recovery"], "totpSince": "2026-03-01T12:00:00Z", "recoveryCodesLeft": 10,
    });
    assert_eq!(mfa(&world, &access).await, expected);
    challenged(&world, &person).await;
    mailbox.told(&person.email, 2, "sign in with: an authenticator app").await;
    let events = world.events("identity.user.factor_added").await;
    // The clock stood still since they registered, and changes of a person follow one another.
    let told = json!({ "userId": person.id, "factor": "totp", "changedAt": "2026-03-01T12:00:00.000001Z" });
    assert_eq!((events.len(), &events[0]["data"]), (1, &told));
}

/// A token of before would let its holder go on as if the password were enough.
#[tokio::test]
async fn tokens_of_before_are_refreshed() {
    let world = World::start().await;
    let person = world.register(1).await;
    let elsewhere = Person::of(&world.log_in(&person.email, PASSWORD).await);
    let app = App::of(begin(&world, &person.access).await.body["secret"].as_str().unwrap());
    assert_eq!(confirm(&world, &person.access, &app.code(&world)).await.status, 200);
    for signed_in in [&person, &elsewhere] {
        assert_eq!(world.me(&signed_in.access).await.code(), refusal(401, "token_expired"));
        let refreshed = world.refresh(&signed_in.refresh).await;
        let access = refreshed.body["tokens"]["accessToken"].as_str().unwrap();
        assert_eq!(world.me(access).await.status, 200);
        assert_eq!(claims(access)["factors"], json!(["otp", "recovery"]));
    }
}

#[tokio::test]
async fn what_is_given_up_takes_a_fresh_proof() {
    let world = World::start().await;
    let person = world.register(1).await;
    world.advance(301);
    let (methods, challenge) = asked_for(&remove(&world, &person.access).await);
    assert_eq!(methods, json!(["password"]));
    assert!(
        challenge.starts_with(r#"Bearer error="insufficient_user_authentication""#)
            && challenge.ends_with(r#"acr_values="aal1", max_age="300""#),
        "{challenge}"
    );
    let proved = step_up(&world, &person.access, json!({ "method": "password", "password": PASSWORD })).await;
    assert_eq!(remove(&world, &access_of(&proved)).await.code(), refusal(404, "not_found"), "it is let in");
}

#[tokio::test]
async fn a_wrong_code_a_late_one_and_one_of_nobody_confirm_nothing() {
    let world = World::start().await;
    let person = world.register(1).await;
    let nothing = confirm(&world, &person.access, "123456").await;
    assert_eq!(nothing.code(), refusal(422, "enrolment_expired"));
    let app = App::of(begin(&world, &person.access).await.body["secret"].as_str().unwrap());
    let wrong = confirm(&world, &person.access, &other(&app.code(&world))).await;
    assert_eq!(wrong.code(), refusal(422, "invalid_code"));
    // Begun again, it is another secret.
    let next = App::of(begin(&world, &person.access).await.body["secret"].as_str().unwrap());
    let old = confirm(&world, &person.access, &app.code(&world)).await;
    assert_eq!(old.code(), refusal(422, "invalid_code"));
    let person = Person { access: renewed(&world, &person).await, ..person };
    world.advance(900);
    let access = renewed(&world, &person).await;
    let late = confirm(&world, &access, &next.code(&world)).await;
    assert_eq!(late.code(), refusal(422, "enrolment_expired"));
    assert!(world.log_in(&person.email, PASSWORD).await.body.get("tokens").is_some());
    assert!(world.events("identity.user.factor_added").await.is_empty());
}

/// A new session of theirs.
async fn renewed(world: &World, person: &Person) -> String {
    Person::of(&world.log_in(&person.email, PASSWORD).await).access
}

#[tokio::test]
async fn one_code_confirms_once_however_often_it_comes() {
    let world = World::start().await;
    let person = world.register(1).await;
    let app = App::of(begin(&world, &person.access).await.body["secret"].as_str().unwrap());
    let code = app.code(&world);
    let answers = join_all((0..5).map(|_| confirm(&world, &person.access, &code))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "{answers:?}");
    assert_eq!(world.events("identity.user.factor_added").await.len(), 1);
    let codes: i64 =
        sqlx::query_scalar("SELECT count(*) FROM recovery_codes").fetch_one(&world.db.pool).await.unwrap();
    assert_eq!(codes, 10);
}

#[tokio::test]
async fn who_has_one_adds_no_second_and_the_code_that_confirmed_is_used() {
    let world = World::start().await;
    let Enrolled { person, app, .. } = enrolled(&world, 1).await;
    assert_eq!(begin(&world, &person.access).await.code(), refusal(409, "conflict"));
    let challenge = challenged(&world, &person).await;
    let replayed = verify(&world, &challenge, "totp", &app.code(&world)).await;
    assert_eq!(replayed.code(), refusal(422, "invalid_code"));
}

#[tokio::test]
async fn codes_are_guessed_ten_times_and_then_wait() {
    let world = World::start().await;
    let Enrolled { person, app, .. } = enrolled(&world, 1).await;
    world.advance(STEP);
    let wrong = other(&app.code(&world));
    for _ in 0..10 {
        assert_eq!(by_totp(&world, &person.access, &wrong).await.code(), refusal(422, "invalid_code"));
    }
    let waits = by_totp(&world, &person.access, &app.code(&world)).await;
    assert_eq!(
        (waits.code(), &waits.headers["retry-after"]),
        (refusal(429, "rate_limited"), &"900".parse().unwrap())
    );
}

#[tokio::test]
async fn removing_takes_the_second_factor_and_ends_it() {
    let (world, mailbox) = mailbox::world().await;
    let Enrolled { person, app, recovery_codes } = enrolled(&world, 1).await;
    world.advance(301);
    let (methods, challenge) = asked_for(&remove(&world, &person.access).await);
    assert_eq!(methods, json!(["totp", "recovery"]));
    assert!(challenge.contains(r#"acr_values="aal2""#), "{challenge}");
    let open = challenged(&world, &person).await;
    let access = access_of(&by_totp(&world, &person.access, &app.code(&world)).await);
    assert_eq!(remove(&world, &access).await.status, 204);
    assert_eq!(remove(&world, &access).await.code(), refusal(404, "not_found"));
    let over = verify(&world, &open, "recovery", &recovery_codes[0]).await;
    assert_eq!(over.code(), refusal(422, "challenge_expired"));
    let person = Person::of(&world.log_in(&person.email, PASSWORD).await);
    let nothing = json!({ "methods": [], "totpSince": null, "recoveryCodesLeft": 0 });
    assert_eq!(mfa(&world, &person.access).await, nothing);
    mailbox.told(&person.email, 3, "no longer sign in with: an authenticator app").await;
    let events = world.events("identity.user.factor_removed").await;
    assert_eq!((events.len(), &events[0]["data"]["factor"]), (1, &json!("totp")));
    // And another one can be added.
    assert_eq!(begin(&world, &person.access).await.status, 200);
}

#[tokio::test]
async fn other_recovery_codes_take_the_place_of_those_of_before() {
    let (world, mailbox) = mailbox::world().await;
    let without = world.register(2).await;
    assert_eq!(renew(&world, &without.access).await.code(), refusal(404, "not_found"));
    let Enrolled { person, recovery_codes: old, .. } = enrolled(&world, 1).await;
    let renewed = renew(&world, &person.access).await;
    let new: Vec<&str> =
        renewed.body["recoveryCodes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect();
    assert_eq!(new.len(), 10);
    mailbox.told(&person.email, 3, "new recovery codes").await;
    let challenge = challenged(&world, &person).await;
    for code in &old[..2] {
        let refused = verify(&world, &challenge, "recovery", code).await;
        assert_eq!(refused.code(), refusal(422, "invalid_code"));
    }
    assert_eq!(verify(&world, &challenge, "recovery", new[0]).await.status, 200);
    world.advance(301);
    let late = access_of_login(&world, &person, new[1]).await;
    assert_eq!(renew(&world, &late).await.status, 200);
}

async fn access_of_login(world: &World, person: &Person, code: &str) -> String {
    let challenge = challenged(world, person).await;
    Person::of(&verify(world, &challenge, "recovery", code).await).access
}

#[tokio::test]
async fn where_second_factors_are_off_nobody_adds_one() {
    let world = World::configured(false, |config| {
        (config.second_factors, config.kyc) = (false, kyc_at(NOWHERE));
    })
    .await;
    let person = world.register(1).await;
    assert_eq!(begin(&world, &person.access).await.code(), refusal(403, "forbidden"));
    assert_eq!(confirm(&world, &person.access, "123456").await.code(), refusal(403, "forbidden"));
}

#[tokio::test]
async fn nothing_of_it_is_readable_in_the_database() {
    let world = World::start().await;
    let Enrolled { person, app, recovery_codes } = enrolled(&world, 1).await;
    world.advance(STEP);
    let challenge = challenged(&world, &person).await;
    let dump = world.dump().await;
    let secret =
        begin(&world, &world.register(2).await.access).await.body["secret"].as_str().unwrap().to_owned();
    let waiting = world.dump().await;
    assert!(!waiting.contains(&secret) && !waiting.contains(&secret.to_lowercase()));
    for hidden in [&challenge, &recovery_codes[0], &recovery_codes[0].replace('-', ""), &app.code(&world)] {
        assert!(!dump.contains(hidden.as_str()), "{hidden}");
        assert!(!dump.contains(&hex::encode(hidden)), "{hidden}");
    }
}

/// For who has lost the phone and the recovery codes.
#[tokio::test]
async fn an_operator_takes_it_away_from_who_has_lost_it() {
    let world = World::start().await;
    let Enrolled { person, recovery_codes, .. } = enrolled(&world, 1).await;
    let open = challenged(&world, &person).await;
    let reset = async |email: &str| run(&world, &["reset-factors", "--email", email], "").await;
    let (status, text) = reset(&person.email).await;
    assert!(status == 0 && text.contains("with the password alone"), "{text}");
    let over = verify(&world, &open, "recovery", &recovery_codes[0]).await;
    assert_eq!(over.code(), refusal(422, "challenge_expired"));
    let access = renewed(&world, &person).await;
    let nothing = json!({ "methods": [], "totpSince": null, "recoveryCodesLeft": 0 });
    assert_eq!(mfa(&world, &access).await, nothing);
    let events = world.events("identity.user.factor_removed").await;
    assert_eq!((events.len(), &events[0]["actor"]), (1, &json!("service:identity-service")));
    let told = "SELECT count(*) FROM notices WHERE kind = 'factor_changed'";
    let told: i64 = sqlx::query_scalar(told).fetch_one(&world.db.pool).await.unwrap();
    assert_eq!(told, 2, "of the app that came and of the app that went");
    // The session that was opened since then ends; after that there is nothing.
    assert_eq!(reset(&person.email).await.0, 0);
    assert_eq!(world.me(&access).await.code(), refusal(401, "unauthenticated"));
    let (status, text) = reset(&person.email).await;
    assert!(status == 0 && text.contains("has no second factor"), "{text}");
    assert_eq!(reset("nobody@example.com").await.0, 4);
}

#[tokio::test]
async fn what_nobody_went_on_with_is_forgotten() {
    let world = World::start().await;
    let Enrolled { person, .. } = enrolled(&world, 1).await;
    begin(&world, &world.register(2).await.access).await;
    challenged(&world, &person).await;
    let rows = async || -> (i64, i64) {
        let rows = "SELECT (SELECT count(*) FROM sign_in_challenges), (SELECT count(*) FROM totp_factors)";
        sqlx::query_as(rows).fetch_one(&world.db.pool).await.unwrap()
    };
    assert_eq!(rows().await, (1, 2));
    world.advance(2 * 86_400);
    world.second_instance().await;
    // The app that was confirmed stays.
    mailbox::until("forgetting", async || (rows().await == (0, 1)).then_some(())).await;
}
