//! `/pin`: setting, changing and giving the transaction PIN.

use common_auth::password::Passwords;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::{
    factors::{Enrolled, access_of, asked_for, by_totp, claims, enrolled, proof, remove, step_up},
    mailbox,
    support::{Answer, PASSWORD, Person, World, invalid, refusal},
};

const PIN: &str = "4739";
const NEW_PIN: &str = "580274";
const WRONG: &str = "8065";

async fn set(world: &World, token: &str, pin: &str, password: &str) -> Answer {
    world.post_as(token, "/pin", &json!({ "pin": pin, "currentPassword": password })).await
}

async fn give(world: &World, token: &str, pin: &str) -> Answer {
    world.post_as(token, "/pin/verify", &json!({ "pin": pin })).await
}

async fn change(world: &World, token: &str, current: &str, new: &str) -> Answer {
    world.post_as(token, "/pin/change", &json!({ "currentPin": current, "newPin": new })).await
}

/// Somebody with a PIN.
async fn with_pin(world: &World, index: u32) -> Person {
    let person = world.register(index).await;
    let set = set(world, &person.access, PIN, PASSWORD).await;
    assert_eq!((set.status, &set.body), (204, &Value::Null));
    person
}

#[tokio::test]
async fn a_pin_is_set_with_the_password_and_approves() {
    let (world, mailbox) = mailbox::world().await;
    let person = with_pin(&world, 1).await;
    mailbox.told(&person.email, 2, "new transaction PIN").await;
    world.advance(600);
    for given in [
        give(&world, &person.access, PIN).await,
        step_up(&world, &person.access, json!({ "method": "pin", "pin": PIN })).await,
    ] {
        let told = claims(&access_of(&given));
        assert_eq!(told["pin_time"], json!(1_772_366_400 + 600));
        assert_eq!((&told["sid"], &told["factors"]), (&json!(person.session()), &json!(["pin"])));
    }
}

/// It is no second factor: neither is it asked for on logging in, nor does it prove who somebody is.
#[tokio::test]
async fn it_signs_nobody_in_and_proves_nothing_else() {
    let world = World::start().await;
    let person = with_pin(&world, 1).await;
    assert!(world.log_in(&person.email, PASSWORD).await.body.get("tokens").is_some());
    world.advance(301);
    let access = access_of(&give(&world, &person.access, PIN).await);
    let (amr, acr, at) = proof(&access);
    assert_eq!((amr, acr, at), (json!(["pwd"]), json!("aal1"), json!(1_772_366_400)));
    let (methods, _) = asked_for(&remove(&world, &access).await);
    assert_eq!(methods, json!(["password"]));
}

#[tokio::test]
async fn five_wrong_ones_lock_it_and_the_password_sets_another() {
    let (world, mailbox) = mailbox::world().await;
    let person = with_pin(&world, 1).await;
    for left in (0..5).rev() {
        let wrong = give(&world, &person.access, WRONG).await;
        assert_eq!(wrong.problem(), invalid("pin", "wrong_pin"));
        let says = if left == 0 { "locked from now on".to_owned() } else { format!("after {left} more") };
        assert!(wrong.body["detail"].as_str().unwrap().contains(&says), "{wrong:?}");
    }
    for refused in [
        give(&world, &person.access, PIN).await,
        change(&world, &person.access, PIN, NEW_PIN).await,
        step_up(&world, &person.access, json!({ "method": "pin", "pin": PIN })).await,
    ] {
        assert_eq!(refused.code(), refusal(403, "pin_locked"));
    }
    mailbox.told(&person.email, 3, "PIN is locked").await;
    let events = world.events("identity.user.pin_locked").await;
    let told = json!({ "userId": person.id, "lockedAt": "2026-03-01T12:00:00Z" });
    assert_eq!((events.len(), &events[0]["data"]), (1, &told));
    // No wait opens it again.
    world.advance(800);
    assert_eq!(give(&world, &person.access, PIN).await.code(), refusal(403, "pin_locked"));
    assert_eq!(set(&world, &person.access, NEW_PIN, PASSWORD).await.status, 204);
    assert_eq!(give(&world, &person.access, NEW_PIN).await.status, 200);
}

#[tokio::test]
async fn the_right_one_ends_the_count() {
    let world = World::start().await;
    let person = with_pin(&world, 1).await;
    for _ in 0..3 {
        for _ in 0..4 {
            assert_eq!(give(&world, &person.access, WRONG).await.problem(), invalid("pin", "wrong_pin"));
        }
        assert_eq!(give(&world, &person.access, PIN).await.status, 200);
    }
}

#[tokio::test]
async fn at_one_moment_no_more_are_looked_at_than_one_after_the_other() {
    let world = World::start().await;
    let person = with_pin(&world, 1).await;
    let answers = join_all((0..20).map(|_| give(&world, &person.access, WRONG))).await;
    let wrong = answers.iter().filter(|answer| answer.status == 422).count();
    let locked = answers.iter().filter(|answer| answer.status == 403).count();
    assert_eq!((wrong, locked), (5, 15));
    assert_eq!(world.events("identity.user.pin_locked").await.len(), 1);
    assert_eq!(give(&world, &person.access, PIN).await.code(), refusal(403, "pin_locked"));
}

#[tokio::test]
async fn who_knows_it_changes_it() {
    let (world, mailbox) = mailbox::world().await;
    let person = with_pin(&world, 1).await;
    let wrong = change(&world, &person.access, WRONG, NEW_PIN).await;
    assert_eq!(wrong.problem(), invalid("currentPin", "wrong_pin"));
    let weak = change(&world, &person.access, PIN, "1234").await;
    assert_eq!(weak.problem(), invalid("newPin", "weak_pin"));
    assert_eq!(change(&world, &person.access, PIN, NEW_PIN).await.status, 204);
    mailbox.told(&person.email, 3, "new transaction PIN").await;
    assert_eq!(give(&world, &person.access, PIN).await.problem(), invalid("pin", "wrong_pin"));
    assert_eq!(give(&world, &person.access, NEW_PIN).await.status, 200);
}

#[tokio::test]
async fn easy_ones_wrong_ones_and_none_are_refused() {
    let world = World::start().await;
    let person = world.register(1).await;
    for missing in
        [give(&world, &person.access, PIN).await, change(&world, &person.access, PIN, NEW_PIN).await]
    {
        assert_eq!(missing.code(), refusal(404, "not_found"));
    }
    for weak in ["0000", "1234", "1987", "3112", "121212", "310190"] {
        let refused = set(&world, &person.access, weak, PASSWORD).await;
        assert_eq!(refused.problem(), invalid("pin", "weak_pin"), "{weak}");
    }
    for wrong in ["", "123", "1234567", "47a9"] {
        let refused = set(&world, &person.access, wrong, PASSWORD).await;
        assert_eq!(refused.problem(), invalid("pin", "invalid"), "{wrong}");
    }
    let refused = set(&world, &person.access, PIN, "wrong").await;
    assert_eq!(refused.problem(), invalid("currentPassword", "wrong_password"));
    assert_eq!(give(&world, &person.access, PIN).await.code(), refusal(404, "not_found"));
}

/// The password alone sets none for who has a second factor.
#[tokio::test]
async fn who_has_a_second_factor_gives_it_to_set_a_pin() {
    let world = World::start().await;
    let Enrolled { person, app, .. } = enrolled(&world, 1).await;
    world.advance(301);
    let (methods, _) = asked_for(&set(&world, &person.access, PIN, PASSWORD).await);
    assert_eq!(methods, json!(["totp", "recovery"]));
    let access = access_of(&by_totp(&world, &person.access, &app.code(&world)).await);
    assert_eq!(set(&world, &access, PIN, PASSWORD).await.status, 204);
    // Nor does the PIN alone change itself.
    world.advance(301);
    let (methods, _) = asked_for(&change(&world, &access, PIN, NEW_PIN).await);
    assert_eq!(methods, json!(["totp", "recovery"]));
    let given = access_of(&give(&world, &access, PIN).await);
    asked_for(&change(&world, &given, PIN, NEW_PIN).await);
    let access = access_of(&by_totp(&world, &given, &app.code(&world)).await);
    assert_eq!(change(&world, &access, PIN, NEW_PIN).await.status, 204);
    assert_eq!(claims(&given)["factors"], json!(["otp", "recovery", "pin"]));
}

#[tokio::test]
async fn one_persons_pin_is_nobody_elses() {
    let world = World::start().await;
    let (one, two) = (with_pin(&world, 1).await, world.register(2).await);
    assert_eq!(set(&world, &two.access, NEW_PIN, PASSWORD).await.status, 204);
    assert_eq!(give(&world, &one.access, NEW_PIN).await.problem(), invalid("pin", "wrong_pin"));
    let stored: Vec<String> = sqlx::query_scalar("SELECT hash FROM transaction_pins ORDER BY hash")
        .fetch_all(&world.db.pool)
        .await
        .unwrap();
    assert!(stored.len() == 2 && stored.iter().all(|hash| hash.starts_with("$argon2id$")));
    // Whoever has the hashes and not the key file cannot try all PINs: not even the right one fits.
    let passwords = Passwords::new(1024, 1).unwrap();
    for hash in stored {
        for pin in [PIN, NEW_PIN] {
            assert!(!passwords.verify(pin.into(), Some(hash.clone())).await.unwrap());
        }
    }
}
