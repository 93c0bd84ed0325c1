//! `POST /verification/{email,phone}/…` and `/me/{email,phone}/…`, with the twin's mailbox.

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    mailbox::{self, other, until},
    support::{Answer, PASSWORD, Person, World, answer, invalid, refusal, registration},
};

async fn send(world: &World, person: &Person, kind: &str) -> Answer {
    world.post_as(&person.access, &format!("/verification/{kind}/send"), &json!({})).await
}

async fn confirm(world: &World, person: &Person, kind: &str, code: &str) -> Answer {
    world.post_as(&person.access, &format!("/verification/{kind}/confirm"), &json!({ "code": code })).await
}

async fn ask_for(world: &World, person: &Person, email: &str) -> Answer {
    let body = json!({ "email": email, "currentPassword": PASSWORD });
    world.post_as(&person.access, "/me/email", &body).await
}

async fn confirm_new(world: &World, person: &Person, kind: &str, code: &str) -> Answer {
    world.post_as(&person.access, &format!("/me/{kind}/confirm"), &json!({ "code": code })).await
}

async fn log_in(world: &World, identifier: &str) -> u16 {
    world.post("/login", &json!({ "identifier": identifier, "password": PASSWORD })).await.status
}

#[tokio::test]
async fn who_registers_is_sent_codes_and_verifies_both_contacts() {
    let (world, mailbox) = mailbox::world().await;
    let person = world.register(1).await;
    let code = mailbox.code(&person.email, 1).await;
    let verified = confirm(&world, &person, "email", &code).await;
    assert_eq!((verified.status, &verified.body["user"]["emailVerified"]), (200, &json!(true)));
    assert_eq!(verified.body["user"]["phoneVerified"], false);
    let code = mailbox.code(&person.phone, 1).await;
    let verified = confirm(&world, &person, "phone", &code).await;
    assert_eq!((verified.status, &verified.body["user"]["phoneVerified"]), (200, &json!(true)));
    assert_eq!(world.me(&person.access).await.body, verified.body);

    let events = world.events("identity.user.updated").await;
    let flags: Vec<[&Value; 2]> = events
        .iter()
        .map(|event| [&event["data"]["emailVerified"], &event["data"]["phoneVerified"]])
        .collect();
    assert_eq!(flags, [[&json!(true), &json!(false)], [&json!(true), &json!(true)]]);
    let registered = world.events("identity.user.registered").await;
    assert_eq!(registered[0]["data"]["emailVerified"], false);
}

#[tokio::test]
async fn what_is_verified_stays_so_and_is_told_once() {
    let (world, mailbox) = mailbox::world().await;
    let person = world.register(1).await;
    let code = mailbox.code(&person.email, 1).await;
    let verified = confirm(&world, &person, "email", &code).await;
    assert_eq!(confirm(&world, &person, "email", &code).await.body, verified.body);
    assert_eq!(confirm(&world, &person, "email", &other(&code)).await.body, verified.body);
    assert_eq!(send(&world, &person, "email").await.code(), refusal(409, "conflict"));
    assert_eq!(world.events("identity.user.updated").await.len(), 1);
}

#[tokio::test]
async fn five_wrong_codes_and_the_right_one_is_dead() {
    let (world, mailbox) = mailbox::world().await;
    let person = world.register(1).await;
    let code = mailbox.code(&person.email, 1).await;
    for _ in 0..5 {
        assert_eq!(
            confirm(&world, &person, "email", &other(&code)).await.code(),
            refusal(422, "invalid_code")
        );
    }
    assert_eq!(confirm(&world, &person, "email", &code).await.code(), refusal(422, "code_expired"));
    // Another one starts anew.
    world.advance(60);
    assert_eq!(send(&world, &person, "email").await.status, 202);
    let next = mailbox.code(&person.email, 2).await;
    assert_eq!(confirm(&world, &person, "email", &next).await.status, 200);
}

#[tokio::test]
async fn attempts_at_the_same_time_are_all_counted() {
    let (world, mailbox) = mailbox::world().await;
    let person = world.register(1).await;
    let code = mailbox.code(&person.email, 1).await;
    let wrong = other(&code);
    let answers = join_all((0..20).map(|_| confirm(&world, &person, "email", &wrong))).await;
    let told = |code: &str| answers.iter().filter(|answer| answer.code() == refusal(422, code)).count();
    assert_eq!((told("invalid_code"), told("code_expired")), (5, 15));
    assert_eq!(confirm(&world, &person, "email", &code).await.code(), refusal(422, "code_expired"));
}

#[tokio::test]
async fn the_right_code_at_the_same_time_takes_effect_once() {
    let (world, mailbox) = mailbox::world().await;
    let person = world.register(1).await;
    let code = mailbox.code(&person.email, 1).await;
    let answers = join_all((0..10).map(|_| confirm(&world, &person, "email", &code))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert_eq!(world.events("identity.user.updated").await.len(), 1);
}

#[tokio::test]
async fn a_code_dies_after_ten_minutes() {
    let (world, mailbox) = mailbox::world().await;
    let person = world.register(1).await;
    let code = mailbox.code(&person.email, 1).await;
    world.advance(600);
    assert_eq!(confirm(&world, &person, "email", &code).await.code(), refusal(422, "code_expired"));
    assert_eq!(world.me(&person.access).await.body["user"]["emailVerified"], false);
}

#[tokio::test]
async fn a_code_is_one_persons_for_one_contact_and_the_newest() {
    let (world, mailbox) = mailbox::world().await;
    let (person, stranger) = (world.register(1).await, world.register(2).await);
    let first = mailbox.code(&person.email, 1).await;
    assert_ne!(confirm(&world, &stranger, "email", &first).await.status, 200);
    assert_ne!(confirm(&world, &person, "phone", &first).await.status, 200);
    world.advance(60);
    assert_eq!(send(&world, &person, "email").await.status, 202);
    let second = mailbox.code(&person.email, 2).await;
    if first != second {
        assert_eq!(confirm(&world, &person, "email", &first).await.code(), refusal(422, "invalid_code"));
    }
    assert_eq!(confirm(&world, &person, "email", &second).await.status, 200);
}

#[tokio::test]
async fn codes_are_sent_once_a_minute_and_five_times_an_hour() {
    let world = World::start().await;
    let person = world.register(1).await;
    let refused = async |wait: &str| {
        let answer = send(&world, &person, "email").await;
        assert_eq!(answer.code(), refusal(429, "rate_limited"));
        assert_eq!(answer.headers["retry-after"], wait);
    };
    refused("60").await;
    for _ in 0..4 {
        world.advance(60);
        assert_eq!(send(&world, &person, "email").await.status, 202);
    }
    world.advance(60);
    // The first was sent five minutes ago.
    refused("3300").await;
    assert_eq!(send(&world, &person, "phone").await.status, 202, "another contact counts by itself");
    world.advance(3300);
    let access =
        world.refresh(&person.refresh).await.body["tokens"]["accessToken"].as_str().unwrap().to_owned();
    let again = Person { access, ..person };
    assert_eq!(send(&world, &again, "email").await.status, 202);
}

/// A stranger who asks for codes to somebody's number does not keep its owner from verifying it.
#[tokio::test]
async fn what_a_stranger_asks_for_is_bounded_and_counts_for_nobody_else() {
    let world = World::start().await;
    let owner = world.register(1).await;
    let mut strangers = Vec::new();
    for index in 2..14 {
        strangers.push(world.register(index).await);
    }
    for stranger in &strangers {
        world.advance(600);
        let body = json!({ "phoneNumber": owner.phone, "currentPassword": PASSWORD });
        let signed_in = Person::of(&world.log_in(&stranger.email, PASSWORD).await);
        assert_eq!(world.post_as(&signed_in.access, "/me/phone", &body).await.status, 202);
    }
    let sent: i64 = sqlx::query_scalar("SELECT count(*) FROM notices WHERE channel = 'sms'")
        .fetch_one(&world.db.pool)
        .await
        .unwrap();
    assert_eq!(sent, 13 + 10, "those of the registrations, and ten in a day");
    let owner = Person::of(&world.log_in(&owner.email, PASSWORD).await);
    assert_eq!(send(&world, &owner, "phone").await.status, 202);
}

#[tokio::test]
async fn asking_for_codes_at_the_same_time_sends_one() {
    let world = World::start().await;
    let person = world.register(1).await;
    world.advance(60);
    let answers = join_all((0..10).map(|_| send(&world, &person, "phone"))).await;
    let sent = answers.iter().filter(|answer| answer.status == 202).count();
    assert_eq!(sent, 1, "{answers:?}");
}

#[tokio::test]
async fn another_address_is_ones_own_when_its_code_is_confirmed() {
    let (world, mailbox) = mailbox::world().await;
    let person = world.register(1).await;
    assert_eq!(ask_for(&world, &person, "New@example.com").await.status, 202);
    assert_eq!(world.me(&person.access).await.body["user"]["email"], person.email);
    let code = mailbox.code("new@example.com", 1).await;
    assert_eq!(confirm_new(&world, &person, "phone", &code).await.code(), refusal(422, "code_expired"));
    let changed = confirm_new(&world, &person, "email", &code).await;
    let user = &changed.body["user"];
    assert_eq!((changed.status, &user["email"]), (200, &json!("new@example.com")));
    assert_eq!(user["emailVerified"], true);
    assert_eq!((log_in(&world, "new@example.com").await, log_in(&world, &person.email).await), (200, 401));
    mailbox.told(&person.email, 2, "another e-mail address").await;
    // A repetition is answered the same, and changes nothing more.
    assert_eq!(confirm_new(&world, &person, "email", &code).await.body, changed.body);
    let events = world.events("identity.user.updated").await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["data"]["email"], "new@example.com");
}

#[tokio::test]
async fn another_number_is_changed_in_the_same_way() {
    let (world, mailbox) = mailbox::world().await;
    let person = world.register(1).await;
    let body = json!({ "phoneNumber": "08030000099", "currentPassword": PASSWORD });
    assert_eq!(world.post_as(&person.access, "/me/phone", &body).await.status, 202);
    let code = mailbox.code("+2348030000099", 1).await;
    let changed = confirm_new(&world, &person, "phone", &code).await;
    assert_eq!((changed.status, &changed.body["user"]["phoneNumber"]), (200, &json!("+2348030000099")));
    assert_eq!(changed.body["user"]["phoneVerified"], true);
    mailbox.told(&person.phone, 2, "another phone number").await;
}

/// Everything of the answer that could differ.
fn shown(answer: &Answer) -> (u16, &Value, Vec<&str>) {
    let mut headers: Vec<&str> = answer.headers.keys().map(reqwest::header::HeaderName::as_str).collect();
    headers.sort_unstable();
    (answer.status, &answer.body, headers)
}

#[tokio::test]
async fn nobody_learns_by_asking_that_an_address_is_taken() {
    let (world, mailbox) = mailbox::world().await;
    let (person, owner) = (world.register(1).await, world.register(2).await);
    mailbox.code(&owner.email, 1).await;
    // Its owner was sent a code a moment ago: that does not show either.
    let taken = ask_for(&world, &person, &owner.email).await;
    world.advance(60);
    let free = ask_for(&world, &person, "free@example.com").await;
    assert_eq!(shown(&taken), shown(&free));
    world.advance(60);
    let taken = ask_for(&world, &person, &owner.email).await;
    assert_eq!(shown(&taken), shown(&free));
    // Only who reads what is sent there learns it.
    let code = mailbox.code(&owner.email, 3).await;
    assert_eq!(confirm_new(&world, &person, "email", &code).await.code(), refusal(409, "email_taken"));
    assert_eq!(world.me(&person.access).await.body["user"]["email"], person.email);
    assert!(world.events("identity.user.updated").await.is_empty());
}

#[tokio::test]
async fn a_change_takes_the_password_and_something_new() {
    let world = World::start().await;
    let person = world.register(1).await;
    let ask = async |email: &str, password: &str| {
        let body = json!({ "email": email, "currentPassword": password });
        world.post_as(&person.access, "/me/email", &body).await
    };
    assert_eq!(ask("new@example.com", "wrong").await.problem(), invalid("currentPassword", "wrong_password"));
    assert_eq!(ask(&person.email, PASSWORD).await.problem(), invalid("email", "unchanged"));
    assert_eq!(ask("nobody", PASSWORD).await.problem(), invalid("email", "invalid"));
    let long = "x".repeat(1025);
    assert_eq!(ask("new@example.com", &long).await.problem(), invalid("currentPassword", "length"));
    assert_eq!(ask("new@example.com", PASSWORD).await.status, 202);
    let again = ask("newer@example.com", PASSWORD).await;
    assert_eq!(again.code(), refusal(429, "rate_limited"));
}

#[tokio::test]
async fn a_change_that_is_not_confirmed_expires() {
    let (world, mailbox) = mailbox::world().await;
    let person = world.register(1).await;
    ask_for(&world, &person, "new@example.com").await;
    let code = mailbox.code("new@example.com", 1).await;
    world.advance(600);
    assert_eq!(confirm_new(&world, &person, "email", &code).await.code(), refusal(422, "code_expired"));
    assert_eq!(log_in(&world, "new@example.com").await, 401);
}

/// Two people prove the same free address: it is one's.
#[tokio::test]
async fn an_address_that_two_prove_is_ones() {
    let (world, mailbox) = mailbox::world().await;
    let (one, two) = (world.register(1).await, world.register(2).await);
    ask_for(&world, &one, "new@example.com").await;
    let first = mailbox.code("new@example.com", 1).await;
    world.advance(60);
    ask_for(&world, &two, "new@example.com").await;
    let second = mailbox.code("new@example.com", 2).await;
    let (first, second) =
        tokio::join!(confirm_new(&world, &one, "email", &first), confirm_new(&world, &two, "email", &second));
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
}

#[tokio::test]
async fn a_code_of_the_old_address_proves_nothing_of_the_new_one() {
    let (world, mailbox) = mailbox::world().await;
    let person = world.register(1).await;
    let old = mailbox.code(&person.phone, 1).await;
    let moved = sqlx::query("UPDATE users SET phone_number = '+2348030000077'").execute(&world.db.pool).await;
    assert_eq!(moved.unwrap().rows_affected(), 1);
    assert_eq!(confirm(&world, &person, "phone", &old).await.code(), refusal(422, "code_expired"));
}

#[tokio::test]
async fn what_is_no_code_is_refused_and_costs_no_attempt() {
    let (world, mailbox) = mailbox::world().await;
    let person = world.register(1).await;
    let code = mailbox.code(&person.email, 1).await;
    for wrong in ["", "12345", "1234567", "12345x"] {
        let refused = confirm(&world, &person, "email", wrong).await;
        assert_eq!(refused.problem(), invalid("code", "invalid"), "{wrong:?}");
    }
    let body = json!({ "code": code, "email": "x" });
    let refused = world.post_as(&person.access, "/verification/email/confirm", &body).await;
    assert_eq!(refused.problem(), invalid("email", "unknown_field"));
    assert_eq!(confirm(&world, &person, "email", &code).await.status, 200);
}

#[tokio::test]
async fn an_account_that_is_not_active_proves_nothing() {
    let (world, mailbox) = mailbox::world().await;
    let person = world.register(1).await;
    let code = mailbox.code(&person.email, 1).await;
    sqlx::query("UPDATE users SET status = 'suspended'").execute(&world.db.pool).await.unwrap();
    world.advance(60);
    assert_eq!(send(&world, &person, "email").await.code(), refusal(403, "forbidden"));
    assert_eq!(confirm(&world, &person, "email", &code).await.code(), refusal(403, "forbidden"));
    assert_eq!(ask_for(&world, &person, "new@example.com").await.code(), refusal(403, "forbidden"));
}

#[tokio::test]
async fn neither_codes_nor_messages_can_be_read_in_the_database() {
    let world = World::start().await;
    world.register(1).await;
    let texts = ["is your code", "Your code"];
    let dump = world.dump().await;
    let hidden = |text: &str| !dump.contains(text) && !dump.contains(&hex::encode(text));
    assert!(texts.iter().all(|text| hidden(text)));
    let waiting: i64 = sqlx::query_scalar("SELECT count(*) FROM notices WHERE status = 'pending'")
        .fetch_one(&world.db.pool)
        .await
        .unwrap();
    assert_eq!(waiting, 2);
}

#[tokio::test]
async fn a_registration_is_not_held_up_by_codes_that_were_sent_before() {
    let (world, mailbox) = mailbox::world().await;
    let person = world.register(1).await;
    ask_for(&world, &person, "person2@example.com").await;
    mailbox.code("person2@example.com", 1).await;
    let registered = world.post("/register", &registration(2)).await;
    assert_eq!(registered.status, 201);
    let phone = registered.body["user"]["phoneNumber"].as_str().unwrap();
    until("the code by SMS", async || Some(mailbox.messages(phone).await).filter(|sent| sent.len() == 1))
        .await;
    // By the code that somebody else asked for, they verify nothing.
    let code = mailbox.code("person2@example.com", 2).await;
    let newcomer = Person::of(&registered);
    assert_eq!(confirm(&world, &newcomer, "email", &code).await.status, 200);
}

/// Somebody registers with a stranger's contacts, erases themselves and registers again, to send codes and to guess them.
#[tokio::test]
async fn a_contact_is_sent_ten_codes_a_day_whoever_registers_with_it() {
    let world = World::start().await;
    let sent = async || -> (i64, i64) {
        let sent = "SELECT count(*) FILTER (WHERE channel = 'sms'), count(*) FILTER (WHERE channel = 'email')
                    FROM notices WHERE kind = 'code'";
        sqlx::query_as(sent).fetch_one(&world.db.pool).await.unwrap()
    };
    for _ in 0..10 {
        erase(&world, &world.register(1).await).await;
    }
    assert_eq!(sent().await, (10, 10));
    let person = world.register(1).await;
    assert_eq!(sent().await, (10, 10), "they are registered, and get no code");
    assert_eq!(send(&world, &person, "phone").await.code(), refusal(429, "rate_limited"));
    world.register(2).await;
    assert_eq!(sent().await, (11, 11), "others do");
    world.advance(86_400);
    let there = Person::of(&world.log_in(&person.email, PASSWORD).await);
    assert_eq!(send(&world, &there, "phone").await.status, 202);
}

async fn erase(world: &World, person: &Person) {
    let erased = world.request(Method::DELETE, "/api/v1/identity/me").bearer_auth(&person.access);
    let erased = answer(erased.json(&json!({ "currentPassword": PASSWORD }))).await;
    assert_eq!(erased.status, 200, "{erased:?}");
}
