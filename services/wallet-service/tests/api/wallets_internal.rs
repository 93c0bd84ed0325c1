//! What other services ask about wallets, and what becomes of users.

use common_utils::ids::{UserId, WalletId};
use serde_json::{Value, json};
use uuid::Uuid;
use wallet_service::wallets;

use crate::support::World;

const PATH: &str = "/internal/v1/wallets";

#[tokio::test]
async fn a_wallet_is_found_by_its_id_and_by_its_owner() {
    let world = World::open().await;
    let user = UserId::new();
    let (naira, dollars) = (world.wallet(user, "NGN").await, world.wallet(user, "USD").await);
    let one = world.internal_get(&format!("{PATH}/{naira}")).await;
    let expected = json!({
        "walletId": naira, "userId": user, "currency": "NGN", "name": null, "status": "active",
        "freeze": null, "floor": 0, "ceiling": null, "intakeCeiling": 30_000_000, "isDefault": false, "createdAt": "2026-01-01T12:00:00Z", "accountNumbers": []
    });
    assert_eq!(one.body, expected);
    let ids = |body: &Value| -> Vec<WalletId> {
        let items = body["items"].as_array().unwrap().iter();
        items.map(|item| item["walletId"].as_str().unwrap().parse().unwrap()).collect()
    };
    let all = world.internal_get(&format!("{PATH}?userId={user}")).await;
    assert_eq!(ids(&all.body), [naira, dollars]);
    let some = world.internal_get(&format!("{PATH}?userId={user}&currency=USD")).await;
    assert_eq!(ids(&some.body), [dollars]);
    let none = world.internal_get(&format!("{PATH}?userId={}", UserId::new())).await;
    assert_eq!(none.body, json!({ "items": [] }));
    for missing in [WalletId::new().to_string(), "x".to_owned()] {
        assert_eq!(world.internal_get(&format!("{PATH}/{missing}")).await.refusal(), (404, "not_found"));
    }
    for query in ["", "?currency=NGN", "?userId=x", "?accountNumber=1&userId=x", "?currency=ZZZ", "?who=me"] {
        let answer = world.internal_get(&format!("{PATH}{query}")).await;
        assert_eq!(answer.refusal(), (422, "validation_failed"), "{query}");
    }
}

#[tokio::test]
async fn everybody_who_registers_gets_one_naira_wallet() {
    let world = World::open().await;
    let user = UserId::new();
    // Told twice as two events: the handler itself must not make two.
    world.take_in("identity.user.registered", user).await;
    world.take_in("identity.user.registered", user).await;
    let wallets = wallets::list_by_user(&world.db.pool, user).await.unwrap();
    assert_eq!(wallets.len(), 1);
    assert!(wallets[0].is_default);
    assert_eq!(wallets[0].currency.code(), "NGN");
    let events = world.events(wallets[0].id).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["type"], "wallet.created");
}

#[tokio::test]
async fn everybody_who_is_verified_is_asked_an_account_number_for() {
    let world = World::open().await.with_provider();
    let (early, late) = (UserId::new(), UserId::new());
    world.take_in("identity.user.registered", early).await;
    for user in [early, early, late] {
        world.take_in("identity.user.verified", user).await;
        // The issuing worker is woken.
        tokio::time::timeout(std::time::Duration::from_secs(5), world.state.accounts_wanted.notified())
            .await
            .unwrap();
    }
    let requested: Vec<(Uuid, Uuid, String, String)> = sqlx::query_as(
        "SELECT wallet_id, user_id, provider, status FROM virtual_accounts ORDER BY created_at, wallet_id",
    )
    .fetch_all(&world.db.pool)
    .await
    .unwrap();
    assert_eq!(requested.len(), 2);
    for (row, user) in requested.iter().zip([early, late]) {
        // The wallet of somebody whose first event is not here yet is made now.
        let wallets = wallets::list_by_user(&world.db.pool, user).await.unwrap();
        assert_eq!((wallets.len(), wallets[0].is_default), (1, true));
        assert_eq!(*row, (wallets[0].id.uuid(), user.uuid(), "providus".to_owned(), "requested".to_owned()));
    }
    world.take_in("identity.user.registered", late).await;
    assert_eq!(world.count("wallets").await, 2);
}

#[tokio::test]
async fn the_first_wallet_has_its_place_even_when_others_came_before() {
    let world = World::open().await;
    let user = UserId::new();
    for _ in 0..9 {
        world.wallet(user, "USD").await;
    }
    world.take_in("identity.user.registered", user).await;
    let wallets = wallets::list_by_user(&world.db.pool, user).await.unwrap();
    assert_eq!((wallets.len(), wallets.iter().filter(|wallet| wallet.is_default).count()), (10, 1));
}

#[tokio::test]
async fn events_that_do_not_concern_wallets_are_left_alone() {
    let world = World::open().await;
    world.take_in("identity.user.updated", UserId::new()).await;
    world.take_in("identity.user.promoted", UserId::new()).await;
    assert_eq!(world.count("wallets").await, 0);
}
