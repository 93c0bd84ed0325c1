//! `POST /password/…`, and hashes from elsewhere.

use common_auth::password::Passwords;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::{
    guessing::log_in_from,
    mailbox::{self, until},
    support::{Answer, PASSWORD, Person, World, invalid, refusal, registration},
};

const NEW: &str = "another horse with a battery";

async fn change(world: &World, person: &Person, current: &str, new: &str) -> Answer {
    let body = json!({ "currentPassword": current, "newPassword": new });
    world.post_as(&person.access, "/password/change", &body).await
}

async fn forgot(world: &World, identifier: &str) -> Answer {
    world.post("/password/forgot", &json!({ "identifier": identifier })).await
}

async fn reset(world: &World, token: &str, new: &str) -> Answer {
    world.post("/password/reset", &json!({ "token": token, "newPassword": new })).await
}

async fn log_in(world: &World, person: &Person, password: &str) -> Answer {
    world.post("/login", &json!({ "identifier": person.email, "password": password })).await
}

async fn hash_of(world: &World, person: &Person) -> String {
    sqlx::query_scalar("SELECT hash FROM password_credentials WHERE user_id = $1::uuid")
        .bind(&person.id)
        .fetch_one(&world.db.pool)
        .await
        .unwrap()
}

async fn somebody_waits(world: &World) {
    until("somebody waits for a lock", async || {
        let waits = "SELECT count(*) > 0 FROM pg_stat_activity
                     WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let waits: bool = sqlx::query_scalar(waits).fetch_one(&world.db.pool).await.unwrap();
        waits.then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_change_ends_all_other_sessions_and_is_told() {
    let (world, mailbox) = mailbox::world().await;
    let person = world.register(1).await;
    let elsewhere = Person::of(&log_in(&world, &person, PASSWORD).await);
    let changed = change(&world, &person, PASSWORD, NEW).await;
    assert_eq!((changed.status, &changed.body), (204, &Value::Null));
    for refused in [world.refresh(&elsewhere.refresh).await, world.me(&elsewhere.access).await] {
        assert_eq!(refused.code(), refusal(401, "unauthenticated"));
    }
    assert_eq!(world.me(&person.access).await.status, 200, "one's own goes on");
    assert_eq!(world.refresh(&person.refresh).await.status, 200);
    let ended = world.events("identity.session.ended").await;
    assert_eq!((ended.len(), &ended[0]["data"]["sessionId"]), (1, &json!(elsewhere.session())));
    assert_eq!(ended[0]["data"]["reason"], "password_changed");
    assert_eq!(log_in(&world, &person, PASSWORD).await.code(), refusal(401, "invalid_credentials"));
    assert_eq!(log_in(&world, &person, NEW).await.status, 200);
    assert!(mailbox.newest(&person.email, 2).await.contains("Your password was changed"));
    let events = world.events("identity.user.password_changed").await;
    let told = json!({ "userId": person.id, "reason": "change", "changedAt": "2026-03-01T12:00:00Z" });
    assert_eq!((events.len(), &events[0]["data"]), (1, &told));
    assert_eq!(events[0]["actor"], format!("user:{}", person.id));
}

#[tokio::test]
async fn a_change_takes_the_password_and_a_good_new_one() {
    let world = World::start().await;
    let person = world.register(1).await;
    let wrong = change(&world, &person, "wrong", NEW).await;
    assert_eq!(wrong.problem(), invalid("currentPassword", "wrong_password"));
    for weak in ["short", "password1", "I am ada the first", "call 08030000001"] {
        let refused = change(&world, &person, PASSWORD, weak).await;
        assert_eq!(refused.problem(), invalid("newPassword", "weak_password"), "{weak}");
    }
    let long = change(&world, &person, PASSWORD, &"x".repeat(129)).await;
    assert_eq!(long.problem(), invalid("newPassword", "length"));
    assert_eq!(log_in(&world, &person, PASSWORD).await.status, 200);
    assert!(world.events("identity.user.password_changed").await.is_empty());
}

#[tokio::test]
async fn passwords_are_not_guessed_with_somebody_elses_token() {
    let world = World::start().await;
    let (person, other) = (world.register(1).await, world.register(2).await);
    let guesses = join_all((0..14).map(|_| change(&world, &person, "wrong", NEW))).await;
    let refused = guesses.iter().filter(|answer| answer.code() == refusal(429, "rate_limited")).count();
    assert_eq!(refused, 4);
    let right = change(&world, &person, PASSWORD, NEW).await;
    assert_eq!(right.code(), refusal(429, "rate_limited"));
    assert_eq!(right.headers["retry-after"], "900");
    assert_eq!(change(&world, &other, PASSWORD, NEW).await.status, 204);
    let elsewhere = log_in(&world, &person, PASSWORD).await;
    assert_eq!(elsewhere.status, 200, "its owner signs in all the same");
    world.advance(900);
    let person = Person::of(&log_in(&world, &person, PASSWORD).await);
    assert_eq!(change(&world, &person, PASSWORD, NEW).await.status, 204);
}

#[tokio::test]
async fn of_two_changes_at_once_one_holds() {
    let world = World::start().await;
    let person = world.register(1).await;
    let news: Vec<String> = (0..4).map(|number| format!("{NEW} {number}")).collect();
    let answers = join_all(news.iter().map(|new| change(&world, &person, PASSWORD, new))).await;
    let mut held = Vec::new();
    for (answer, new) in answers.iter().zip(&news) {
        let works = log_in(&world, &person, new).await.status == 200;
        assert_eq!(answer.status == 204, works, "{answer:?}");
        held.extend(works.then_some(new));
    }
    assert_eq!(held.len(), 1);
    assert_eq!(world.events("identity.user.password_changed").await.len(), 1);
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
    assert!(mailbox.newest(&person.email, 3).await.contains("Your password was changed"));
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

/// Asked for by who knew the old password.
#[tokio::test]
async fn another_password_ends_changes_that_are_on_their_way() {
    let (world, mailbox) = mailbox::world().await;
    let person = world.register(1).await;
    let body = json!({ "email": "thief@example.com", "currentPassword": PASSWORD });
    assert_eq!(world.post_as(&person.access, "/me/email", &body).await.status, 202);
    let code = json!({ "code": mailbox.code("thief@example.com", 1).await });
    assert_eq!(change(&world, &person, PASSWORD, NEW).await.status, 204);
    let confirmed = world.post_as(&person.access, "/me/email/confirm", &code).await;
    assert_eq!(confirmed.code(), refusal(422, "code_expired"));
    assert_eq!(world.me(&person.access).await.body["user"]["email"], json!(person.email));
}

/// It was proved before, and the lock is had after.
#[tokio::test]
async fn who_proved_a_password_that_is_changed_meanwhile_is_too_late() {
    let world = World::start().await;
    let person = world.register(1).await;
    let new = Passwords::new(64, 1).unwrap().hash(NEW.into()).await.unwrap();
    for (path, body) in [
        ("/me/email", json!({ "email": "other@example.com", "currentPassword": PASSWORD })),
        ("/me/deactivate", json!({ "currentPassword": PASSWORD })),
    ] {
        let before = hash_of(&world, &person).await;
        let mut change = world.db.pool.begin().await.unwrap();
        sqlx::query("SELECT FROM users FOR UPDATE").execute(&mut *change).await.unwrap();
        sqlx::query("UPDATE password_credentials SET hash = $1")
            .bind(&new)
            .execute(&mut *change)
            .await
            .unwrap();
        let overtaking = async {
            somebody_waits(&world).await;
            change.commit().await.unwrap();
        };
        let (answer, ()) = tokio::join!(world.post_as(&person.access, path, &body), overtaking);
        assert_eq!(answer.problem(), invalid("currentPassword", "wrong_password"), "{path}");
        sqlx::query("UPDATE password_credentials SET hash = $1")
            .bind(&before)
            .execute(&world.db.pool)
            .await
            .unwrap();
    }
    assert_eq!(world.me(&person.access).await.body["user"]["status"], "active");
}

/// A mistyped address is a stranger's, and learns nothing.
#[tokio::test]
async fn notices_go_to_what_is_verified() {
    let (world, mailbox) = mailbox::world().await;
    let person = world.register(1).await;
    let code = json!({ "code": mailbox.code(&person.phone, 1).await });
    assert_eq!(world.post_as(&person.access, "/verification/phone/confirm", &code).await.status, 200);
    assert_eq!(change(&world, &person, PASSWORD, NEW).await.status, 204);
    assert!(mailbox.newest(&person.phone, 2).await.contains("Your password was changed"));
    assert_eq!(mailbox.messages(&person.email).await.len(), 1);
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

#[tokio::test]
async fn a_hash_of_bcrypt_signs_in_and_is_made_anew() {
    let world = World::start().await;
    let person = world.register(1).await;
    // "U*U", from the test vectors of crypt_blowfish; PHP and Node write the other two prefixes.
    for prefix in ["$2a$", "$2b$", "$2y$"] {
        let hash = format!("{prefix}05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW");
        sqlx::query("UPDATE password_credentials SET hash = $1")
            .bind(&hash)
            .execute(&world.db.pool)
            .await
            .unwrap();
        assert_eq!(log_in(&world, &person, "U*V").await.code(), refusal(401, "invalid_credentials"));
        assert_eq!(hash_of(&world, &person).await, hash, "a wrong password changes nothing");
        assert_eq!(log_in(&world, &person, "U*U").await.status, 200);
        assert!(hash_of(&world, &person).await.starts_with("$argon2id$v=19$m=1024,t=1,p=1$"));
        assert_eq!(log_in(&world, &person, "U*U").await.status, 200);
    }
}

#[tokio::test]
async fn all_who_log_in_at_once_come_in_while_the_hash_is_made_anew() {
    let world = World::start().await;
    let person = world.register(1).await;
    sqlx::query("UPDATE password_credentials SET hash = $1")
        .bind("$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW")
        .execute(&world.db.pool)
        .await
        .unwrap();
    // Each from a place of its own: at one, no more than five are looked at at once.
    let places: Vec<String> = (0..8).map(|place| format!("203.0.113.{place}")).collect();
    let logins = places.iter().map(|place| log_in_from(&world, place, &person.email, "U*U"));
    for answer in join_all(logins).await {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert!(hash_of(&world, &person).await.starts_with("$argon2id$"));
}

#[tokio::test]
async fn a_login_that_is_overtaken_by_a_change_opens_no_session() {
    let world = World::start().await;
    let person = world.register(1).await;
    let new = Passwords::new(64, 1).unwrap().hash(NEW.into()).await.unwrap();
    let mut change = world.db.pool.begin().await.unwrap();
    sqlx::query("SELECT FROM users FOR UPDATE").execute(&mut *change).await.unwrap();
    sqlx::query("UPDATE password_credentials SET hash = $1").bind(&new).execute(&mut *change).await.unwrap();
    let overtaking = async {
        somebody_waits(&world).await;
        change.commit().await.unwrap();
    };
    let (answer, ()) = tokio::join!(log_in(&world, &person, PASSWORD), overtaking);
    assert_eq!(answer.code(), refusal(401, "invalid_credentials"));
    let open: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sessions").fetch_one(&world.db.pool).await.unwrap();
    assert_eq!(open, 1, "that of the registration");
}

#[tokio::test]
async fn a_hash_of_another_cost_is_made_anew_by_a_login_and_others_stay() {
    let world = World::start().await;
    let person = world.register(1).await;
    let today = hash_of(&world, &person).await;
    assert_eq!(log_in(&world, &person, PASSWORD).await.status, 200);
    assert_eq!(hash_of(&world, &person).await, today, "it is up to date");
    let cheap = Passwords::new(64, 2).unwrap().hash(PASSWORD.into()).await.unwrap();
    sqlx::query("UPDATE password_credentials SET hash = $1")
        .bind(&cheap)
        .execute(&world.db.pool)
        .await
        .unwrap();
    assert_eq!(log_in(&world, &person, PASSWORD).await.status, 200);
    let anew = hash_of(&world, &person).await;
    assert!(anew.contains("m=1024,t=1,p=1") && anew != today, "{anew}");
    assert_eq!(log_in(&world, &person, PASSWORD).await.status, 200);
}

#[tokio::test]
async fn without_second_factors_a_password_has_fifteen_characters() {
    let world = World::configured(false, |config| config.second_factors = false).await;
    let mut registration = registration(1);
    registration["password"] = json!("fourteen chars");
    let refused = world.post("/register", &registration).await;
    assert_eq!(refused.problem(), invalid("password", "weak_password"));
    assert!(refused.body["errors"][0]["message"].as_str().unwrap().contains("at least 15"));
    registration["password"] = json!("fifteen letters");
    let person = Person::of(&world.post("/register", &registration).await);
    let refused = change(&world, &person, "fifteen letters", "fourteen chars").await;
    assert_eq!(refused.problem(), invalid("newPassword", "weak_password"));
}
