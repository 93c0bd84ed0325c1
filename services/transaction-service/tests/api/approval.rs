//! Transfers that take a fresh approval.

use axum::http::{StatusCode, header};
use chrono::TimeDelta;
use common_auth::{Assurance, Claims, Method, testing as auth};
use common_utils::{clock::Clock, ids::UserId};
use serde_json::{Value, json};

use crate::support::{Answer, Customer, World, between, naira};

/// What goes without being asked, in kobo.
const FREE: i64 = 50_000;

async fn world() -> World {
    World::with(|config| config.approval_above = format!("NGN={FREE}").parse().unwrap()).await
}

/// The customer, who signed in an hour ago, with a token that is as this makes it.
fn with(world: &World, customer: &Customer, adjust: impl FnOnce(Claims) -> Claims) -> Customer {
    let claims = auth::claims(UserId::from(customer.person.id), world.clock.now());
    let claims = Claims { auth_time: Some(claims.iat - 3_600), exp: claims.iat + 100_000, ..claims };
    Customer { token: world.signed(&adjust(claims)), ..customer.clone() }
}

fn assert_asked(answer: &Answer, methods: &Value) {
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::FORBIDDEN, "step_up_required"),
        "{}",
        answer.body
    );
    assert_eq!(answer.body["methods"], *methods);
    let challenge = answer.headers[header::WWW_AUTHENTICATE].to_str().unwrap();
    assert!(challenge.contains("insufficient_user_authentication"), "{challenge}");
    assert!(challenge.contains(r#"max_age="300""#), "{challenge}");
}

#[tokio::test]
async fn what_is_more_than_the_figure_waits_for_an_approval() {
    let world = world().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let stale = with(&world, &ada, |claims| claims);
    assert_eq!(world.transfer(&stale, "k1", &between(&ada, &bola, FREE)).await.status, StatusCode::CREATED);
    assert_asked(&world.transfer(&stale, "k2", &between(&ada, &bola, FREE + 1)).await, &json!(["password"]));
    assert_eq!(world.peers.book().balance(ada.wallet), 100_000 - FREE);
}

#[tokio::test]
async fn the_refused_call_is_repeated_with_its_key() {
    let world = world().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let large = between(&ada, &bola, FREE + 1);
    let has_pin = |claims: Claims| Claims { factors: vec![Method::Pin], ..claims };
    let stale = with(&world, &ada, has_pin);
    assert_asked(&world.transfer(&stale, "k1", &large).await, &json!(["password", "pin"]));
    // Nothing was written down, and the key is still to be used.
    assert!(world.statuses().await.is_empty() && world.event_types().await.is_empty());

    let told = |claims: Claims| Claims { pin_time: Some(claims.iat), ..has_pin(claims) };
    let approved = with(&world, &ada, told);
    let sent = world.transfer(&approved, "k1", &large).await;
    assert_eq!((sent.status, sent.replayed()), (StatusCode::CREATED, false), "{}", sent.body);
    // It has been decided: nobody is asked for what was done already.
    let again = world.transfer(&stale, "k1", &large).await;
    assert_eq!((again.status, &again.body, again.replayed()), (sent.status, &sent.body, true));
    // The approval is of a time, and goes with it.
    world.clock.advance(TimeDelta::seconds(301));
    assert_asked(&world.transfer(&approved, "k2", &large).await, &json!(["password", "pin"]));
}

#[tokio::test]
async fn who_has_a_second_factor_approves_by_it_or_by_the_pin() {
    let world = world().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let large = between(&ada, &bola, FREE + 1);
    let factors =
        |claims: Claims| Claims { factors: vec![Method::Totp, Method::Recovery, Method::Pin], ..claims };
    let password = with(&world, &ada, |claims| Claims { auth_time: Some(claims.iat), ..factors(claims) });
    assert_asked(&world.transfer(&password, "k1", &large).await, &json!(["totp", "recovery", "pin"]));
    let both = with(&world, &ada, |claims| {
        let amr = vec![Method::Password, Method::Totp];
        Claims { auth_time: Some(claims.iat), acr: Assurance::of(&amr), amr, ..factors(claims) }
    });
    assert_eq!(world.transfer(&both, "k1", &large).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn other_currencies_and_machines_are_not_asked() {
    let world = world().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let stale = with(&world, &ada, |claims| claims);
    let (dollars, _) = world.open_wallet(&ada.person, "USD", 10 * FREE);
    let (hers, _) = world.open_wallet(&bola.person, "USD", 0);
    let mut foreign = naira(dollars, &json!({"walletId": hers}), 10 * FREE);
    foreign["amount"]["currency"] = json!("USD");
    assert_eq!(world.transfer(&stale, "k1", &foreign).await.status, StatusCode::CREATED);

    let scopes = "transfers:write".parse().unwrap();
    let claims = auth::machine_claims(UserId::from(ada.person.id), scopes, world.clock.now());
    let claims = Claims { auth_time: None, exp: claims.iat + 900, ..claims };
    let shop = Customer { token: world.signed(&claims), ..ada.clone() };
    world.advance(600);
    let sent = world.transfer(&shop, "k2", &between(&ada, &bola, FREE + 1)).await;
    assert_eq!(sent.status, StatusCode::CREATED, "{}", sent.body);
}

#[tokio::test]
async fn without_a_figure_nobody_is_asked() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let stale = with(&world, &ada, |claims| claims);
    assert_eq!(
        world.transfer(&stale, "k1", &between(&ada, &bola, 100_000)).await.status,
        StatusCode::CREATED
    );
}

#[tokio::test]
async fn what_is_wrong_anyway_is_said_first() {
    let world = world().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let stale = with(&world, &ada, |claims| claims);
    let strangers = between(&bola, &ada, FREE + 1);
    assert_eq!(world.transfer(&stale, "k1", &strangers).await.status, StatusCode::NOT_FOUND);
}
