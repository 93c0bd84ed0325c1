//! Freezing a customer's wallet.

use common_auth::Role;
use common_utils::ids;
use serde_json::json;

use crate::world::{self, World};

#[tokio::test]
async fn freezing_is_asked_of_wallet_service_in_the_name_of_who_does_it() {
    let world = World::new().await;
    let officer = world.person(Role::Compliance);
    let wallet = ids::new_id();
    world.neighbours.tell(|known| known.wallets.insert(wallet, ids::new_id()));
    let body = json!({ "reason": "Reported as stolen" });
    for (verb, status) in [("freeze", "frozen"), ("freeze", "frozen"), ("unfreeze", "active")] {
        let answer =
            world.post(&officer, &format!("/api/v1/admin/wallets/{wallet}/{verb}"), body.clone()).await;
        assert_eq!(answer.expect(200).body, json!({ "walletId": wallet, "status": status }));
    }
    let asked = world.neighbours.tell(|known| known.freezes.clone());
    let expected = json!({ "reason": "Reported as stolen", "actorId": officer.id });
    assert_eq!(asked[0], (wallet, "freeze".to_owned(), expected));
    assert_eq!((asked.len(), asked[2].1.as_str()), (3, "unfreeze"));
}

#[tokio::test]
async fn what_wallet_service_refuses_is_refused() {
    let world = World::new().await;
    let officer = world.person(Role::Admin);
    let (unknown, closed) = (ids::new_id(), ids::new_id());
    world.neighbours.tell(|known| known.closed.insert(closed));
    let body = || json!({ "reason": "r" });
    let answer = world.post(&officer, &format!("/api/v1/admin/wallets/{unknown}/freeze"), body()).await;
    assert_eq!(answer.refusal(), (404, "not_found", vec![]));
    let answer = world.post(&officer, &format!("/api/v1/admin/wallets/{closed}/unfreeze"), body()).await;
    assert_eq!(answer.refusal(), (422, "wallet_closed", vec![]));
    let own = ids::new_id();
    world.neighbours.tell(|known| known.wallets.insert(own, officer.id));
    let answer = world.post(&officer, &format!("/api/v1/admin/wallets/{own}/unfreeze"), body()).await;
    assert_eq!(answer.refusal(), (403, "forbidden", vec![]), "nobody decides about themselves");
    world.neighbours.tell(|known| known.away = true);
    let path = format!("/api/v1/admin/wallets/{closed}/freeze");
    assert_eq!(world.post(&officer, &path, body()).await.refusal(), (503, "dependency_unavailable", vec![]));
    let alone = world.alone();
    let call =
        world::send(&alone, "POST".parse().unwrap(), &path, Some(&officer), Some(body().to_string()), None);
    assert_eq!(call.await.status, 503);
}
