//! Who guesses passwords has to wait.

use std::collections::HashSet;

use common_utils::telemetry;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    mailbox,
    support::{Answer, PASSWORD, World, answer, refusal},
};

pub(crate) async fn log_in_from(world: &World, address: &str, identifier: &str, password: &str) -> Answer {
    let login = world.request(Method::POST, "/api/v1/identity/login").header("x-forwarded-for", address);
    answer(login.json(&json!({ "identifier": identifier, "password": password }))).await
}

pub(crate) fn waits(answer: &Answer) -> u64 {
    assert_eq!(answer.code(), refusal(429, "too_many_attempts"), "{answer:?}");
    answer.headers["retry-after"].to_str().unwrap().parse().unwrap()
}

/// Everything but the correlation id, which is another one each time.
fn said(mut answer: Answer) -> (u16, Value) {
    answer.body.as_object_mut().unwrap().remove("correlationId");
    (answer.status, answer.body)
}

#[tokio::test]
async fn known_and_unknown_accounts_wait_alike() {
    let world = World::start().await;
    world.register(1).await;
    let mut seen = Vec::new();
    for identifier in ["person1@example.com", "nobody@example.com"] {
        let address = if identifier.starts_with("nobody") { "203.0.113.1" } else { "203.0.113.2" };
        let mut answers = Vec::new();
        for _ in 0..7 {
            answers.push(said(log_in_from(&world, address, identifier, "wrong").await));
        }
        seen.push(answers);
    }
    assert_eq!(seen[0], seen[1]);
    let statuses: Vec<u16> = seen[0].iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429, 429]);
}

#[tokio::test]
async fn the_right_password_waits_too_and_ends_the_count() {
    let world = World::start().await;
    let person = world.register(1).await;
    for spelling in [
        "person1@example.com",
        "Person1@EXAMPLE.com",
        " person1@example.com",
        "person1@example.com",
        "PERSON1@example.com",
    ] {
        assert_eq!(world.log_in(spelling, "wrong").await.status, 401, "{spelling}");
    }
    assert_eq!(waits(&world.log_in(&person.email, PASSWORD).await), 1);
    world.advance(1);
    assert_eq!(world.log_in(&person.email, PASSWORD).await.status, 200);
    for _ in 0..5 {
        assert_eq!(world.log_in(&person.email, "wrong").await.status, 401);
    }
    assert_eq!(waits(&world.log_in(&person.email, PASSWORD).await), 1);
}

#[tokio::test]
async fn strangers_lock_themselves_out_and_not_the_owner() {
    let world = World::start().await;
    let person = world.register(1).await;
    assert_eq!(log_in_from(&world, "102.89.1.1", &person.email, PASSWORD).await.status, 200);
    for stranger in 0..20 {
        let address = format!("203.0.113.{stranger}");
        assert_eq!(log_in_from(&world, &address, &person.email, "wrong").await.status, 401);
    }
    assert_eq!(waits(&log_in_from(&world, "198.51.100.1", &person.email, PASSWORD).await), 60);
    let locks = world.events("identity.user.locked").await;
    assert_eq!(locks.len(), 1);
    let expected = json!({
        "userId": person.id, "failures": 20, "lockedAt": "2026-03-01T12:00:00Z", "lockedUntil": "2026-03-01T12:01:00Z",
    });
    assert_eq!(locks[0]["data"], expected);
    // Where they have been before, the owner goes in and out, by both names, and with that the count is over.
    assert_eq!(log_in_from(&world, "102.89.1.1", &person.phone, PASSWORD).await.status, 200);
    assert_eq!(log_in_from(&world, "198.51.100.1", &person.email, PASSWORD).await.status, 200);
}

#[tokio::test]
async fn where_somebody_registered_they_are_at_home() {
    let world = World::start().await;
    let person = world.register(1).await;
    for stranger in 0..20 {
        let address = format!("203.0.113.{stranger}");
        assert_eq!(log_in_from(&world, &address, &person.phone, "wrong").await.status, 401);
    }
    waits(&log_in_from(&world, "198.51.100.1", &person.phone, PASSWORD).await);
    assert_eq!(world.log_in(&person.phone, PASSWORD).await.status, 200);
}

#[tokio::test]
async fn good_sign_ins_beside_bad_ones_leave_no_wait_to_their_neighbours() {
    let world = World::start().await;
    let people = [world.register(1).await, world.register(2).await, world.register(3).await];
    for victim in 0..48 {
        let identifier = format!("victim{victim}@example.com");
        assert_eq!(log_in_from(&world, "203.0.113.1", &identifier, "wrong").await.status, 401);
    }
    let both = people[..2].iter().map(|person| log_in_from(&world, "203.0.113.1", &person.email, PASSWORD));
    for answer in futures::future::join_all(both).await {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    assert_eq!(log_in_from(&world, "203.0.113.1", &people[2].email, PASSWORD).await.status, 200);
}

#[tokio::test]
async fn an_account_that_is_not_there_is_locked_without_a_word() {
    let world = World::start().await;
    for stranger in 0..20 {
        let address = format!("203.0.113.{stranger}");
        assert_eq!(log_in_from(&world, &address, "nobody@example.com", "wrong").await.status, 401);
    }
    assert_eq!(waits(&log_in_from(&world, "198.51.100.1", "nobody@example.com", "wrong").await), 60);
    assert!(world.events("identity.user.locked").await.is_empty());
}

#[tokio::test]
async fn one_source_at_many_accounts_waits_at_those_that_are_new_to_it() {
    let world = World::start().await;
    let (at_home, elsewhere) = (world.register(1).await, world.register(2).await);
    assert_eq!(log_in_from(&world, "203.0.113.1", &at_home.email, PASSWORD).await.status, 200);
    for victim in 0..50 {
        let identifier = format!("victim{victim}@example.com");
        assert_eq!(log_in_from(&world, "203.0.113.1", &identifier, "Summer2026!").await.status, 401);
    }
    assert_eq!(waits(&log_in_from(&world, "203.0.113.1", &elsewhere.email, PASSWORD).await), 60);
    assert_eq!(log_in_from(&world, "203.0.113.1", &at_home.email, PASSWORD).await.status, 200);
    assert_eq!(log_in_from(&world, "203.0.113.2", &elsewhere.email, PASSWORD).await.status, 200);
}

/// How often this process has counted the series.
async fn counted(world: &World, series: &str) -> f64 {
    let page = world.get("/metrics", None).await.body;
    let page = page.as_str().unwrap();
    let line = page.lines().find_map(|line| line.strip_prefix(series));
    line.unwrap_or_else(|| panic!("{series} is not in\n{page}")).trim().parse().unwrap()
}

#[tokio::test]
async fn many_accounts_from_one_source_are_told_of_and_the_address_is_not() {
    const BLOCKED: &str = "wallet_identity_sources_blocked_total{service=\"identity\"}";
    telemetry::metrics::install().unwrap();
    let world = World::start().await;
    let before = counted(&world, BLOCKED).await;
    // What succeeds in between is no failure, and where somebody signed in they are at home.
    let person = world.register(1).await;
    assert_eq!(log_in_from(&world, "203.0.113.1", &person.email, PASSWORD).await.status, 200);
    for victim in 0..50 {
        assert!(world.events("identity.security.source_blocked").await.is_empty(), "{victim}");
        let identifier = format!("victim{}@example.com", victim.min(47));
        assert_eq!(log_in_from(&world, "203.0.113.1", &identifier, "Summer2026!").await.status, 401);
    }
    let blocked = world.events("identity.security.source_blocked").await;
    assert_eq!(blocked.len(), 1);
    let hash = blocked[0]["data"]["sourceHash"].as_str().unwrap();
    let expected = json!({
        "sourceHash": hash, "failures": 50, "accounts": 48,
        "blockedAt": "2026-03-01T12:00:00Z", "blockedUntil": "2026-03-01T12:01:00Z",
    });
    assert_eq!(blocked[0]["data"], expected);
    assert_eq!(blocked[0]["subject"], format!("source/{hash}"));
    assert!(hash.len() == 64 && !blocked[0].to_string().contains("203.0.113.1"), "{}", blocked[0]);
    // Other tests of this process may count, too.
    assert!(counted(&world, BLOCKED).await > before);
    // It goes on as often as it may, and is told of once.
    world.advance(60);
    assert_eq!(log_in_from(&world, "203.0.113.1", "victim50@example.com", "Summer2026!").await.status, 401);
    assert_eq!(world.events("identity.security.source_blocked").await.len(), 1);
}

/// Somebody without an idea of their own password, however long they try, is no attack on many.
#[tokio::test]
async fn many_failures_at_few_accounts_are_no_stuffing() {
    let world = World::start().await;
    let mut failed = 0;
    while failed < 50 {
        for account in 0..5 {
            let identifier = format!("mine{account}@example.com");
            let tried = log_in_from(&world, "203.0.113.1", &identifier, "wrong").await;
            failed += u32::from(tried.status == 401);
        }
        world.advance(300);
    }
    assert!(world.events("identity.security.source_blocked").await.is_empty());
}

#[tokio::test]
async fn at_one_moment_no_more_get_through_than_one_after_the_other() {
    let world = World::start().await;
    let person = world.register(1).await;
    let guesses = (0..40).map(|_| log_in_from(&world, "203.0.113.1", &person.email, "wrong"));
    let answers = futures::future::join_all(guesses).await;
    let tried = answers.iter().filter(|answer| answer.status == 401).count();
    assert_eq!((tried, answers.iter().filter(|answer| answer.status == 429).count()), (5, 35));
}

#[tokio::test]
async fn good_sign_ins_at_one_moment_do_not_hold_each_other_back() {
    let world = World::start().await;
    let person = world.register(1).await;
    for _ in 0..3 {
        let logins = (0..5).map(|_| log_in_from(&world, "203.0.113.1", &person.email, PASSWORD));
        for answer in futures::future::join_all(logins).await {
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    }
    let counts: Option<i64> = sqlx::query_scalar("SELECT sum(failures) FROM sign_in_failures")
        .fetch_one(&world.db.pool)
        .await
        .unwrap();
    assert_eq!(counts.unwrap_or(0), 0);
}

#[tokio::test]
async fn who_resets_the_password_comes_in_where_strangers_wait() {
    let (world, mailbox) = mailbox::world().await;
    let person = world.register(1).await;
    for stranger in 0..20 {
        let address = format!("203.0.113.{stranger}");
        assert_eq!(log_in_from(&world, &address, &person.email, "wrong").await.status, 401);
    }
    waits(&log_in_from(&world, "198.51.100.1", &person.email, PASSWORD).await);
    world.post("/password/forgot", &json!({ "identifier": person.email })).await;
    let (token, new) = (mailbox.token(&person.email, 2).await, "another horse with a battery");
    let reset = world
        .request(Method::POST, "/api/v1/identity/password/reset")
        .header("x-forwarded-for", "198.51.100.1")
        .json(&json!({ "token": token, "newPassword": new }));
    assert_eq!(answer(reset).await.status, 204);
    // Strangers begin anew, and are as far as they were; the owner is at home where the reset was made.
    for stranger in 0..20 {
        let address = format!("203.0.113.{stranger}");
        assert_eq!(log_in_from(&world, &address, &person.email, "wrong").await.status, 401);
    }
    waits(&log_in_from(&world, "203.0.113.99", &person.email, new).await);
    assert_eq!(log_in_from(&world, "198.51.100.1", &person.email, new).await.status, 200);
}

#[tokio::test]
async fn where_fifty_have_failed_nobody_comes_in_for_a_day() {
    let world = World::start().await;
    let person = world.register(1).await;
    let mut failed = 0;
    while failed < 50 {
        let answer = log_in_from(&world, "203.0.113.1", &person.email, "wrong").await;
        if answer.status == 429 {
            world.advance(waits(&answer).try_into().unwrap());
        } else {
            failed += 1;
        }
    }
    assert_eq!(waits(&log_in_from(&world, "203.0.113.1", &person.email, "wrong").await), 86_400);
    assert_eq!(world.log_in(&person.email, PASSWORD).await.status, 200, "where the owner is at home");
}

#[tokio::test]
async fn a_repeated_registration_is_no_way_around() {
    let world = World::start().await;
    let register = async |password: &str| {
        let mut body = crate::support::registration(1);
        body["password"] = json!(password);
        let request =
            world.request(Method::POST, "/api/v1/identity/register").header("idempotency-key", "k-1");
        answer(request.json(&body)).await
    };
    assert_eq!(register(PASSWORD).await.status, 201);
    let statuses: Vec<u16> = {
        let mut statuses = Vec::new();
        for guess in 0..7 {
            statuses.push(register(&format!("another guess {guess}")).await.status);
        }
        statuses
    };
    assert_eq!(statuses, [422, 422, 422, 422, 422, 429, 429]);
}

#[tokio::test]
async fn nobody_reads_in_the_tables_who_was_tried_from_where() {
    let world = World::start().await;
    let person = world.register(1).await;
    log_in_from(&world, "203.0.113.77", "a typed secret", "wrong").await;
    log_in_from(&world, "203.0.113.77", &person.email, "wrong").await;
    let dump = world.dump().await;
    for told in
        ["203.0.113.77", "a typed secret", &hex::encode("203.0.113.77"), &hex::encode("a typed secret")]
    {
        assert!(!dump.contains(told), "{told}");
    }
    let keys: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT key FROM sign_in_failures").fetch_all(&world.db.pool).await.unwrap();
    assert_eq!(keys.iter().collect::<HashSet<_>>().len(), 5, "two pairs, two identifiers, one source");
}
