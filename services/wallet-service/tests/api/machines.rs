//! Machines that act for somebody, by the scopes of their API keys.

use axum::http::{Method, StatusCode};
use common_auth::testing;
use common_utils::{clock::Clock, ids::UserId};
use serde_json::json;

use crate::support::{World, request};

impl World {
    /// A token of this person's machine.
    fn machine(&self, user: UserId, scopes: &str) -> String {
        self.signed(&testing::machine_claims(user, scopes.parse().unwrap(), self.clock.now()))
    }
}

#[tokio::test]
async fn a_machine_reads_its_owners_wallets_and_nobody_elses() {
    let world = World::open().await;
    let (user, ada) = world.person_with(150_000).await;
    let (_, bola) = world.person_with(1).await;
    let reader = world.machine(user, "wallets:read");
    let other = world.machine(user, "transactions:read transfers:write");
    let list = "/api/v1/wallet/wallets";
    let period = "from=2025-12-01T00:00:00Z&to=2026-02-01T00:00:00Z";
    for part in ["", "/balance", "/entries", &format!("/statement?{period}&format=json")] {
        let path = format!("{list}/{ada}{part}");
        let read = world.send(request(Method::GET, &path, &reader, None)).await;
        assert_eq!(read.status, StatusCode::OK, "{path} {read:?}");
        let refused = world.send(request(Method::GET, &path, &other, None)).await;
        assert_eq!(refused.refusal(), (403, "insufficient_scope"), "{path}");
        let path = format!("{list}/{bola}{part}");
        let strange = world.send(request(Method::GET, &path, &reader, None)).await;
        assert_eq!(strange.refusal(), (404, "not_found"), "{path}");
    }
    let listed = world.send(request(Method::GET, list, &reader, None)).await;
    assert_eq!(listed.body["items"][0]["id"], json!(ada.uuid()));
    assert_eq!(listed.body["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn no_machine_does_what_is_not_open_to_machines() {
    let world = World::open().await;
    let (user, ada) = world.person_with(0).await;
    let machine = world.machine(user, "wallets:read transactions:read transfers:write");
    let body = json!({ "currency": "NGN" });
    let opened = world.send(request(Method::POST, "/api/v1/wallet/wallets", &machine, Some(&body))).await;
    assert_eq!(opened.refusal(), (403, "insufficient_scope"));
    assert_eq!(world.count("wallets").await, 1);
    let internal = format!("/internal/v1/wallets/{ada}");
    let answer = world.send(request(Method::GET, &internal, &machine, None)).await;
    assert_eq!(answer.refusal(), (401, "unauthenticated"));
}
