//! Machines that act for somebody, by the scopes of their API keys.

use axum::http::{StatusCode, header};
use common_auth::{Claims, testing as auth};
use common_utils::{
    clock::Clock,
    ids::{self, UserId},
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    peers::Fault,
    support::{Customer, TRANSACTIONS, World, between},
};

/// The customer's machine.
fn machine(world: &World, of: &Customer, scopes: &str) -> Customer {
    machine_with(world, of, scopes, ids::new_id())
}

/// The same, with this API key.
fn machine_with(world: &World, of: &Customer, scopes: &str, key: Uuid) -> Customer {
    let now = world.clock.now();
    let claims = auth::machine_claims(UserId::from(of.person.id), scopes.parse().unwrap(), now);
    let claims = Claims { exp: claims.iat + 900, client_id: Some(key), ..claims };
    Customer { token: world.signed(&claims), ..of.clone() }
}

#[tokio::test]
async fn a_machine_sends_its_owners_money_and_nobody_elses() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let shop = machine(&world, &ada, "transfers:write");
    let sent = world.transfer(&shop, "k1", &between(&ada, &bola, 25_000)).await;
    assert_eq!(sent.status, StatusCode::CREATED, "{}", sent.body);
    assert_eq!(world.peers.book().balance(ada.wallet), 75_000);
    // The key of the request is the owner's, whoever sends it.
    let again = world.transfer(&ada, "k1", &between(&ada, &bola, 25_000)).await;
    assert!(again.replayed() && again.id() == sent.id());

    let stolen = world.transfer(&shop, "k2", &between(&bola, &ada, 1)).await;
    assert_eq!((stolen.status, &stolen.body["code"]), (StatusCode::NOT_FOUND, &json!("not_found")));
    assert_eq!(world.peers.book().balance(bola.wallet), 125_000);
}

/// Who reads the audit log tells a machine from its owner, and one machine from another; whose money it was stands in the data.
#[tokio::test]
async fn what_a_machine_causes_is_under_its_key() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let key = ids::new_id();
    let shop = machine_with(&world, &ada, "transfers:write", key);
    assert_eq!(world.transfer(&shop, "k1", &between(&ada, &bola, 100)).await.status, StatusCode::CREATED);
    assert_eq!(world.transfer(&ada, "k2", &between(&ada, &bola, 100)).await.status, StatusCode::CREATED);
    // Begun by the machine, and ended when its owner asked again.
    let body = between(&ada, &bola, 200);
    world.peers.fail(Fault::Down);
    assert_eq!(world.transfer(&shop, "k3", &body).await.status, StatusCode::SERVICE_UNAVAILABLE);
    world.peers.fail(Fault::None);
    world.advance(2);
    assert_eq!(world.transfer(&ada, "k3", &body).await.status, StatusCode::CREATED);
    // And the other way round.
    let body = between(&ada, &bola, 300);
    world.peers.fail(Fault::Down);
    assert_eq!(world.transfer(&ada, "k4", &body).await.status, StatusCode::SERVICE_UNAVAILABLE);
    world.peers.fail(Fault::None);
    world.advance(2);
    assert_eq!(world.transfer(&shop, "k4", &body).await.status, StatusCode::CREATED);

    let (by_key, by_ada) = (format!("api_key:{key}"), format!("user:{}", ada.person.id));
    let events = world.events().await;
    let actors: Vec<&str> = events.iter().map(|event| event["actor"].as_str().unwrap()).collect();
    let both = [&by_key, &by_key, &by_ada, &by_ada, &by_key, &by_ada, &by_ada, &by_key];
    assert_eq!(actors, both);
    assert!(events.iter().all(|event| event["data"]["fromUserId"] == json!(ada.person.id)));
}

#[tokio::test]
async fn a_machine_does_not_do_what_its_key_was_not_made_for() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let reader = machine(&world, &ada, "transactions:read wallets:read");
    let refused = world.transfer(&reader, "k1", &between(&ada, &bola, 25_000)).await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (StatusCode::FORBIDDEN, &json!("insufficient_scope"))
    );
    let challenge = r#"Bearer error="insufficient_scope", scope="transfers:write""#;
    assert_eq!(refused.headers[header::WWW_AUTHENTICATE], challenge);
    assert_eq!(world.peers.book().balance(ada.wallet), 100_000);

    let sent = world.transfer(&ada, "k1", &between(&ada, &bola, 25_000)).await;
    let one = format!("{TRANSACTIONS}/{}", sent.id());
    let writer = machine(&world, &ada, "transfers:write wallets:read");
    for path in [TRANSACTIONS, &one] {
        assert_eq!(world.get(&reader.token, path).await.status, StatusCode::OK, "{path}");
        let refused = world.get(&writer.token, path).await;
        assert_eq!(refused.body["code"], "insufficient_scope", "{path}");
    }
    let stranger = machine(&world, &world.customer("Chi", "Eze"), "transactions:read");
    assert_eq!(world.get(&stranger.token, &one).await.status, StatusCode::NOT_FOUND);
}
