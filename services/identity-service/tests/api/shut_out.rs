//! Strangers who guess do not shut an owner out, wherever the owner is; and who has the owner's places.

use common_utils::crypto::{keyed_hash, sealing::KeyFile};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    guessing::{log_in_from, waits},
    mailbox,
    support::{PASSWORD, World, answer},
};

/// Strangers at ever new addresses take each chance there is, from then on until the owner is in.
#[tokio::test]
async fn an_owner_at_a_new_place_comes_in_while_strangers_go_on() {
    let world = World::start().await;
    let person = world.register(1).await;
    let mut strangers = 0_u32;
    let mut guess = async || {
        strangers += 1;
        let address = format!("203.0.{}.{}", strangers / 250, strangers % 250);
        log_in_from(&world, &address, &person.email, "wrong").await
    };
    // Until they wait as long as anybody does.
    loop {
        let told = guess().await;
        let wait = if told.status == 429 { waits(&told) } else { 0 };
        if wait == 900 {
            break;
        }
        world.advance(i64::try_from(wait).unwrap());
    }
    world.advance(300);
    assert_eq!(waits(&log_in_from(&world, "198.51.100.1", &person.email, PASSWORD).await), 600);
    for _ in 0..9 {
        world.advance(60);
        guess().await;
        // Who asks again waits for the same moment.
        waits(&log_in_from(&world, "198.51.100.1", &person.email, PASSWORD).await);
    }
    world.advance(60);
    assert_eq!(guess().await.status, 401, "they are first, and have everybody wait again");
    assert_eq!(waits(&log_in_from(&world, "198.51.100.2", &person.email, PASSWORD).await), 900);
    assert_eq!(log_in_from(&world, "198.51.100.1", &person.email, PASSWORD).await.status, 200);
}

#[tokio::test]
async fn who_is_still_signed_in_is_at_home_where_they_go() {
    let world = World::start().await;
    let person = world.register(1).await;
    for stranger in 0..20 {
        let address = format!("203.0.113.{stranger}");
        assert_eq!(log_in_from(&world, &address, &person.email, "wrong").await.status, 401);
    }
    waits(&log_in_from(&world, "198.51.100.1", &person.email, PASSWORD).await);
    let refresh = world
        .request(Method::POST, "/api/v1/identity/refresh")
        .header("x-forwarded-for", "198.51.100.1")
        .json(&json!({ "refreshToken": person.refresh }));
    assert_eq!(answer(refresh).await.status, 200);
    assert_eq!(log_in_from(&world, "198.51.100.1", &person.email, PASSWORD).await.status, 200);
}

#[tokio::test]
async fn an_owner_is_told_of_those_who_go_on_guessing_once_a_day() {
    let (world, mailbox) = mailbox::world().await;
    let person = world.register(1).await;
    let attack = async |run: u32| {
        for stranger in 0..50 {
            if stranger >= 20 {
                world.advance(900);
            }
            let address = format!("203.0.{run}.{stranger}");
            assert_eq!(log_in_from(&world, &address, &person.email, "wrong").await.status, 401, "{address}");
        }
    };
    attack(1).await;
    let text = mailbox.told(&person.email, 2, "tries to guess your password").await;
    assert!(text.contains("reset your password"), "{text}");
    let told = world.events("identity.user.locked").await;
    let failures: Vec<&Value> = told.iter().map(|event| &event["data"]["failures"]).collect();
    assert_eq!(failures, [&json!(20), &json!(50)]);
    assert_eq!(told[1]["data"]["lockedUntil"], "2026-03-01T19:45:00Z", "a quarter of an hour");
    // The owner comes in, which ends the count, and they begin anew.
    assert_eq!(world.log_in(&person.email, PASSWORD).await.status, 200);
    attack(2).await;
    assert_eq!(world.events("identity.user.locked").await.len(), 4);
    let written = async || {
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM notices WHERE kind = 'sign_ins_fail'")
            .fetch_one(&world.db.pool)
            .await
            .unwrap()
    };
    assert_eq!(written().await, 1, "within a day");
    assert_eq!(world.log_in(&person.email, PASSWORD).await.status, 200);
    world.advance(10 * 3_600);
    attack(3).await;
    assert_eq!(written().await, 2);
}

/// Whoever has the address of somebody else, and gives it up, has left them nothing by which to come in where others wait.
#[tokio::test]
async fn places_of_an_account_that_is_no_more_are_nobodys() {
    let world = World::start().await;
    let squatter = world.register(1).await;
    assert_eq!(log_in_from(&world, "203.0.113.50", &squatter.email, PASSWORD).await.status, 200);
    let erase = world
        .request(Method::DELETE, "/api/v1/identity/me")
        .bearer_auth(&squatter.access)
        .json(&json!({ "currentPassword": PASSWORD }));
    assert_eq!(answer(erase).await.status, 200);
    world.advance(60);
    let person = world.register(1).await;
    for stranger in 0..20 {
        let address = format!("203.0.113.{stranger}");
        assert_eq!(log_in_from(&world, &address, &person.email, "wrong").await.status, 401);
    }
    waits(&log_in_from(&world, "203.0.113.50", &person.email, PASSWORD).await);
    assert_eq!(world.log_in(&person.email, PASSWORD).await.status, 200);
}

/// A release that runs beside this one, or ran before it, keys places by what was typed. They are the owner's unless they are older than
/// the account.
#[tokio::test]
async fn places_of_the_release_before_are_those_of_who_had_the_account_then() {
    let world = World::start().await;
    world.advance(3_600);
    let person = world.register(1).await;
    let key = KeyFile::load_or_create(&world.keys.path().join("contacts.key")).unwrap();
    let key = key.derive("wallet-platform/sign-in-failures/v1", "key");
    for (last, seen_at) in [(1, "2026-03-01T13:00:00Z"), (2, "2026-03-01T12:59:59Z")] {
        let place = keyed_hash(key.as_slice(), &[b"place", &[198, 51, 100, last], person.email.as_bytes()]);
        sqlx::query("INSERT INTO sign_in_places (key, seen_at) VALUES ($1, $2::timestamptz)")
            .bind(&place[..])
            .bind(seen_at)
            .execute(&world.db.pool)
            .await
            .unwrap();
    }
    for stranger in 0..20 {
        let address = format!("203.0.113.{stranger}");
        assert_eq!(log_in_from(&world, &address, &person.email, "wrong").await.status, 401);
    }
    waits(&log_in_from(&world, "198.51.100.2", &person.email, PASSWORD).await);
    assert_eq!(log_in_from(&world, "198.51.100.1", &person.email, PASSWORD).await.status, 200);
}
