//! `POST /password/change`, and hashes from elsewhere.

use common_auth::password::Passwords;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::{
    guessing::log_in_from,
    mailbox::{self, until},
    passkeys::renew,
    support::{Answer, PASSWORD, Person, World, invalid, refusal, registration},
};

pub(crate) const NEW: &str = "another horse with a battery";

pub(crate) async fn change(world: &World, person: &Person, current: &str, new: &str) -> Answer {
    let body = json!({ "currentPassword": current, "newPassword": new });
    world.post_as(&person.access, "/password/change", &body).await
}

pub(crate) async fn log_in(world: &World, person: &Person, password: &str) -> Answer {
    world.post("/login", &json!({ "identifier": person.email, "password": password })).await
}

async fn hash_of(world: &World, person: &Person) -> String {
    sqlx::query_scalar("SELECT hash FROM password_credentials WHERE user_id = $1::uuid")
        .bind(&person.id)
        .fetch_one(&world.db.pool)
        .await
        .unwrap()
}

pub(crate) async fn somebody_waits(world: &World) {
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
    mailbox.told(&person.email, 2, "Your password was changed").await;
    let events = world.events("identity.user.password_changed").await;
    let told = json!({ "userId": person.id, "reason": "change", "changedAt": "2026-03-01T12:00:00Z" });
    assert_eq!((events.len(), &events[0]["data"]), (1, &told));
    assert_eq!(events[0]["actor"], format!("user:{}", person.id));
}

/// Ten tries each quarter of an hour, for a day: whoever has a session of somebody's does not find their password.
#[tokio::test]
async fn fifty_passwords_a_day_are_tried_in_a_session_and_its_owner_is_told() {
    let world = World::start().await;
    let person = world.register(1).await;
    let told = async || -> i64 {
        let told = "SELECT count(*) FROM notices WHERE kind = 'guessing'";
        sqlx::query_scalar(told).fetch_one(&world.db.pool).await.unwrap()
    };
    let mut session = person.clone();
    let quarter = async |session: &mut Person, tries: usize| {
        for _ in 0..tries {
            let wrong = change(&world, session, "wrong", NEW).await;
            assert_eq!(wrong.problem(), invalid("currentPassword", "wrong_password"));
        }
        world.advance(900);
        renew(&world, session).await;
    };
    // The right one ends the count.
    quarter(&mut session, 9).await;
    assert_eq!(change(&world, &session, PASSWORD, NEW).await.status, 204);
    for _ in 0..5 {
        assert_eq!(told().await, 0);
        quarter(&mut session, 10).await;
    }
    assert_eq!(told().await, 1);
    let waits = change(&world, &session, NEW, PASSWORD).await;
    assert_eq!((waits.code(), told().await), (refusal(429, "rate_limited"), 1));
    // The first of them is a day old then.
    assert_eq!(waits.headers["retry-after"], (86_400 - 5 * 900).to_string());
    world.advance(86_400 - 5 * 900);
    renew(&world, &mut session).await;
    assert_eq!(change(&world, &session, NEW, PASSWORD).await.status, 204);
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
    mailbox.told(&person.phone, 2, "Your password was changed").await;
    assert_eq!(mailbox.messages(&person.email).await.len(), 1);
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
