//! What staff order: freezing by direction, closing, bounds.

use axum::http::{Method, StatusCode};
use chrono::TimeDelta;
use common_utils::ids::{self, WalletId};
use serde_json::{Value, json};

use crate::support::{
    Answer, World,
    postings::{
        capture, capture_all, hold, outcomes, pay, platform, posting, refund, release, reverse, share,
    },
};

const PATH: &str = "/internal/v1/wallets";

fn order() -> Value {
    json!({ "reason": "reported stolen", "actorId": ids::new_id() })
}

fn freeze(direction: &str) -> Value {
    json!({ "reason": "reported stolen", "actorId": ids::new_id(), "direction": direction })
}

fn bounds(floor: i64, ceiling: Option<i64>) -> Value {
    json!({ "reason": "agreed", "actorId": ids::new_id(), "floor": floor, "ceiling": ceiling })
}

async fn ordered(world: &World, wallet: WalletId, verb: &str, body: &Value) -> Answer {
    world.order(Method::POST, &format!("{PATH}/{wallet}/{verb}"), body).await
}

async fn bounded(world: &World, wallet: WalletId, body: &Value) -> Answer {
    world.order(Method::PUT, &format!("{PATH}/{wallet}/bounds"), body).await
}

/// The types of the events since the wallet was made and funded.
async fn told(world: &World, wallet: WalletId, kind: &str) -> Vec<Value> {
    let events = world.events(wallet).await.into_iter();
    events.filter(|event| event["type"].as_str().unwrap().starts_with(kind)).collect()
}

#[tokio::test]
async fn a_frozen_wallet_takes_no_part_until_it_is_unfrozen() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let (_, bola) = world.person_with(0).await;
    let staff = ids::new_id();
    let order = json!({ "reason": "reported stolen", "actorId": staff });
    for _ in 0..2 {
        let frozen = world.order(Method::POST, &format!("{PATH}/{ada}/freeze"), &order).await;
        assert_eq!(frozen.body, json!({ "walletId": ada, "status": "frozen", "freeze": "both" }));
    }
    for posting in [pay(ada, bola, 1), pay(bola, ada, 1)] {
        let refusal = world.refusal_of(&posting).await;
        assert_eq!(refusal, json!({ "code": "wallet_frozen", "walletId": ada, "missing": null }));
    }
    for _ in 0..2 {
        let active = world.order(Method::POST, &format!("{PATH}/{ada}/unfreeze"), &order).await;
        assert_eq!(active.body, json!({ "walletId": ada, "status": "active", "freeze": null }));
    }
    world.all_posted(&[pay(ada, bola, 1)]).await;
    let events = world.events(ada).await;
    let told: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(
        told,
        ["wallet.created", "wallet.credited", "wallet.frozen", "wallet.unfrozen", "wallet.debited"]
    );
    assert_eq!(events[2]["actor"], format!("staff:{staff}"));
    assert_eq!(events[2]["data"]["reason"], "reported stolen");
    assert_eq!(
        (&events[2]["data"]["status"], &events[2]["data"]["freeze"]),
        (&json!("frozen"), &json!("both"))
    );
    assert_eq!(
        (&events[3]["data"]["status"], &events[3]["data"]["freeze"]),
        (&json!("active"), &json!(null))
    );
}

#[tokio::test]
async fn nobody_orders_anything_about_a_wallet_of_their_own() {
    let world = World::open().await;
    let (user, own) = world.person_with(0).await;
    assert_eq!(ordered(&world, own, "freeze", &order()).await.status, StatusCode::OK);
    let by_owner = json!({ "reason": "it was a mistake", "actorId": user });
    let mut limits = bounds(-100, None);
    limits["actorId"] = json!(user);
    for refused in [
        ordered(&world, own, "unfreeze", &by_owner).await,
        ordered(&world, own, "freeze", &by_owner).await,
        ordered(&world, own, "close", &by_owner).await,
        bounded(&world, own, &limits).await,
    ] {
        assert_eq!(
            (refused.status, &refused.body["code"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &json!("own_wallet")),
            "{refused:?}"
        );
    }
    assert_eq!(told(&world, own, "wallet.").await.len(), 2, "made and frozen");
    assert_eq!(ordered(&world, own, "unfreeze", &order()).await.status, StatusCode::OK, "somebody else does");
}

#[tokio::test]
async fn a_freeze_shuts_one_direction_or_both() {
    let world = World::open().await;
    let (user, ada) = world.person_with(100).await;
    let (_, bola) = world.person_with(100).await;
    let held = hold(ada, 10);
    world.is_posted(&held).await;
    let (shut, open) = ("wallet_frozen", "posted");
    // Out, a hold, a capture, a release, in.
    for (direction, expected) in [
        ("in", [open, open, open, open, shut]),
        ("out", [shut, shut, shut, open, open]),
        ("both", [shut, shut, shut, open, shut]),
    ] {
        let set_aside = hold(ada, 5);
        world.is_posted(&set_aside).await;
        let frozen = ordered(&world, ada, "freeze", &freeze(direction)).await;
        assert_eq!(frozen.body, json!({ "walletId": ada, "status": "frozen", "freeze": direction }));
        let list = [
            pay(ada, bola, 1),
            hold(ada, 1),
            capture(&held, &[share(&platform("fee"), 1)]),
            release(&set_aside),
            pay(bola, ada, 1),
        ];
        let answer = world.post_list(&list).await;
        assert_eq!(outcomes(&answer), expected, "{direction}");
        for result in
            answer.body["results"].as_array().unwrap().iter().filter(|it| it["outcome"] == "refused")
        {
            assert_eq!(
                result["refusal"],
                json!({ "code": "wallet_frozen", "walletId": ada, "missing": null })
            );
        }
        let facts = world.internal_get(&format!("{PATH}/{ada}")).await.body;
        assert_eq!((&facts["status"], &facts["freeze"]), (&json!("frozen"), &json!(direction)));
        let own = world.get(user, &format!("/api/v1/wallet/wallets/{ada}")).await.body;
        assert_eq!((&own["status"], &own["freeze"]), (&json!("frozen"), &json!(direction)));
        world.stands_by(&list).await;
        assert_eq!(ordered(&world, ada, "unfreeze", &order()).await.body["freeze"], Value::Null);
    }
    world.verify().await;
}

#[tokio::test]
async fn what_is_taken_back_goes_through_the_open_direction_only() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let (_, bola) = world.person_with(100).await;
    let (to_bola, to_ada) = (pay(ada, bola, 10), pay(bola, ada, 10));
    world.all_posted(&[to_bola.clone(), to_ada.clone()]).await;
    ordered(&world, ada, "freeze", &freeze("in")).await;
    let fee = [share(&platform("suspense"), 1)];
    let answer = world.post_list(&[reverse(&to_bola), refund(&to_bola, &fee), reverse(&to_ada)]).await;
    assert_eq!(outcomes(&answer), ["wallet_frozen", "wallet_frozen", "posted"]);
    world.verify().await;
}

#[tokio::test]
async fn a_frozen_wallet_can_be_frozen_otherwise() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    for direction in ["in", "in", "both", "out", "both", "both"] {
        let frozen = ordered(&world, ada, "freeze", &freeze(direction)).await;
        assert_eq!(frozen.body["freeze"], direction, "{frozen:?}");
    }
    // Left out, it is both, as it is.
    ordered(&world, ada, "freeze", &order()).await;
    ordered(&world, ada, "unfreeze", &order()).await;
    let events = world.events(ada).await;
    let changes: Vec<_> = events[2..]
        .iter()
        .map(|event| (event["type"].as_str().unwrap(), event["data"]["freeze"].as_str()))
        .collect();
    let frozen = |direction| ("wallet.frozen", Some(direction));
    let expected = [frozen("in"), frozen("both"), frozen("out"), frozen("both"), ("wallet.unfrozen", None)];
    assert_eq!(changes, expected);
}

#[tokio::test]
async fn only_an_empty_wallet_is_closed_and_then_for_good() {
    let world = World::open().await;
    let (user, ada) = world.person_with(100).await;
    let (_, bola) = world.person_with(100).await;
    assert_eq!(ordered(&world, ada, "close", &order()).await.refusal(), (422, "wallet_not_empty"));
    let held = hold(ada, 100);
    world.is_posted(&held).await;
    assert_eq!(ordered(&world, ada, "close", &order()).await.refusal(), (422, "wallet_not_empty"));
    let last = capture_all(&held, &json!({ "walletId": bola }));
    world.is_posted(&last).await;

    let staff = ids::new_id();
    for _ in 0..2 {
        let closing = json!({ "reason": "moved abroad", "actorId": staff });
        let closed = ordered(&world, ada, "close", &closing).await;
        assert_eq!(closed.body, json!({ "walletId": ada, "status": "closed", "freeze": null }));
    }
    let events = told(&world, ada, "wallet.closed").await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["actor"], format!("staff:{staff}"));
    assert_eq!(events[0]["dataschema"], "/schemas/wallet.closed.v1.json");
    let data = &events[0]["data"];
    assert_eq!((&data["status"], &data["reason"]), (&json!("closed"), &json!("moved abroad")));
    let own = world.get(user, &format!("/api/v1/wallet/wallets/{ada}")).await.body;
    assert_eq!(own["status"], "closed");

    // Nothing in, nothing out, nothing back.
    let late = [pay(bola, ada, 1), pay(ada, bola, 1), hold(ada, 1), reverse(&last)];
    let answer = world.post_list(&late).await;
    assert_eq!(outcomes(&answer), ["wallet_closed"; 4]);
    assert_eq!(answer.body["results"][0]["refusal"]["walletId"], json!(ada));
    world.stands_by(&late).await;
    for (verb, body) in [("freeze", order()), ("freeze", freeze("in")), ("unfreeze", order())] {
        assert_eq!(ordered(&world, ada, verb, &body).await.refusal(), (422, "wallet_closed"));
    }
    assert_eq!(bounded(&world, ada, &bounds(0, None)).await.refusal(), (422, "wallet_closed"));
    assert_eq!((world.balance(ada).await, world.balance(bola).await), (0, 200));
    world.verify().await;
}

#[tokio::test]
async fn a_frozen_wallet_can_be_closed() {
    let world = World::open().await;
    let (_, ada) = world.person_with(0).await;
    ordered(&world, ada, "freeze", &freeze("out")).await;
    assert_eq!(ordered(&world, ada, "close", &order()).await.body["status"], "closed");
    let data = &told(&world, ada, "wallet.closed").await[0]["data"];
    assert_eq!((&data["status"], &data["freeze"]), (&json!("closed"), &Value::Null));
}

#[tokio::test]
async fn a_wallet_that_money_waits_for_is_not_closed() {
    let world = World::open().await;
    let ((_, ada), (_, bola)) = (world.person_with(0).await, world.person_with(1).await);
    sqlx::query(
        "INSERT INTO deposits (id, provider, reference, wallet_id, amount, currency, status, refusal, credited_at)
         VALUES (gen_random_uuid(), 'providus', 'R1', $1, 500, 'NGN', 'suspended', 'wallet_frozen', now())",
    )
    .bind(ada.uuid())
    .execute(&world.db.pool)
    .await
    .unwrap();
    assert_eq!(ordered(&world, ada, "close", &order()).await.refusal(), (422, "wallet_not_empty"));
    assert!(told(&world, ada, "wallet.closed").await.is_empty());
    assert_eq!(world.internal_get(&format!("{PATH}/{ada}")).await.body["status"], "active");
    // That of another wallet is none of its business, and neither is one that has gone back.
    sqlx::query(
        "UPDATE deposits SET status = 'returned', bank_reference = 'B1', ended_at = now(),
                             ended_by = (SELECT posting_id FROM entries WHERE account_id = $1)",
    )
    .bind(bola.uuid())
    .execute(&world.db.pool)
    .await
    .unwrap();
    assert_eq!(ordered(&world, ada, "close", &order()).await.body["status"], "closed");
}

#[tokio::test]
async fn a_balance_stays_within_its_bounds() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let (_, bola) = world.person_with(1_000).await;
    let staff = ids::new_id();
    let bounds = json!({ "floor": -50, "ceiling": 150, "reason": "agreed", "actorId": staff });
    for _ in 0..2 {
        let answer = bounded(&world, ada, &bounds).await;
        assert_eq!(answer.body, json!({ "walletId": ada, "floor": -50, "ceiling": 150 }));
    }
    let facts = world.internal_get(&format!("{PATH}/{ada}")).await.body;
    assert_eq!((&facts["floor"], &facts["ceiling"]), (&json!(-50), &json!(150)));
    let events = told(&world, ada, "wallet.bounds_changed").await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["actor"], format!("staff:{staff}"));
    let expected = json!({
        "walletId": ada, "userId": facts["userId"], "currency": "NGN", "floor": -50, "ceiling": 150,
        "reason": "agreed", "changedAt": "2026-01-01T12:00:00Z"
    });
    assert_eq!(events[0]["data"], expected);

    let list =
        [pay(bola, ada, 51), pay(bola, ada, 50), pay(ada, bola, 201), hold(ada, 201), pay(ada, bola, 200)];
    let answer = world.post_list(&list).await;
    let codes = outcomes(&answer);
    assert_eq!(codes, ["ceiling_exceeded", "posted", "insufficient_funds", "insufficient_funds", "posted"]);
    for index in [0, 2, 3] {
        let refusal = &answer.body["results"][index]["refusal"];
        let expected = json!({ "code": codes[index], "walletId": ada, "missing": 1 });
        assert_eq!(*refusal, expected);
    }
    world.stands_by(&list).await;
    assert_eq!(world.balance(ada).await, -50);
    // Who owes is not gone.
    assert_eq!(ordered(&world, ada, "close", &order()).await.refusal(), (422, "wallet_not_empty"));
    world.verify().await;
}

/// The sweeper is late; whoever comes first ends it, as a posting does.
#[tokio::test]
async fn a_hold_whose_time_is_over_keeps_nobody_from_bounding_or_closing() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let (_, bola) = world.person_with(0).await;
    bounded(&world, bola, &bounds(-50, None)).await;
    world.all_posted(&[hold(ada, 30), hold(bola, 30)]).await;
    assert_eq!(bounded(&world, ada, &bounds(80, None)).await.refusal(), (422, "wallet_outside_bounds"));
    assert_eq!(ordered(&world, bola, "close", &order()).await.refusal(), (422, "wallet_not_empty"));
    world.clock.advance(TimeDelta::days(400));
    assert_eq!(bounded(&world, ada, &bounds(80, None)).await.body["floor"], 80);
    assert_eq!(ordered(&world, bola, "close", &order()).await.body["status"], "closed");
    assert_eq!((world.held(ada).await, world.held(bola).await), (0, 0));
    assert_eq!(world.count("holds WHERE status = 'expired'").await, 2);
    world.verify().await;
}

#[tokio::test]
async fn bounds_that_the_balance_is_outside_of_are_refused() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    world.all_posted(&[hold(ada, 30)]).await;
    for (floor, ceiling) in
        [(71, None), (i64::MAX, None), (0, Some(99)), (i64::MIN, Some(-1)), (71, Some(99))]
    {
        let answer = bounded(&world, ada, &bounds(floor, ceiling)).await;
        assert_eq!(answer.refusal(), (422, "wallet_outside_bounds"), "{floor} {ceiling:?}");
    }
    assert!(told(&world, ada, "wallet.bounds_changed").await.is_empty());
    // To the very edge, and to the ends of what can be said.
    for (floor, ceiling) in [(70, Some(100)), (i64::MIN, Some(i64::MAX)), (i64::MIN, None), (0, None)] {
        let answer = bounded(&world, ada, &bounds(floor, ceiling)).await;
        assert_eq!(answer.body, json!({ "walletId": ada, "floor": floor, "ceiling": ceiling }));
    }
    assert_eq!(told(&world, ada, "wallet.bounds_changed").await.len(), 4);
    let (_, bola) = world.person_with(0).await;
    assert_eq!(
        outcomes(&world.post_list(&[pay(ada, bola, 70), pay(ada, bola, 1)]).await),
        ["posted", "insufficient_funds"]
    );
    world.verify().await;
}

#[tokio::test]
async fn a_balance_that_does_not_fit_is_refused() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let (equity, ada_side) = (platform("equity"), json!({ "walletId": ada }));
    let amount = json!({ "amount": i64::MAX - 99, "currency": "NGN" });
    let legs = json!([{ "debit": equity, "credit": ada_side, "amount": amount }]);
    let refusal = world.refusal_of(&posting("deposit", "legs", &legs)).await;
    assert_eq!(refusal["code"], "overflow");
    assert_eq!(world.balance(ada).await, 100);
}

#[tokio::test]
async fn orders_that_do_not_fit_are_refused() {
    let world = World::open().await;
    let (_, ada) = world.person_with(0).await;
    let actor = ids::new_id();
    let nobody = WalletId::new();
    for verb in ["freeze", "unfreeze", "close"] {
        assert_eq!(ordered(&world, nobody, verb, &order()).await.refusal(), (404, "not_found"));
        for (body, field) in [
            (json!({ "actorId": actor }), "reason"),
            (json!({ "reason": "", "actorId": actor }), "reason"),
            (json!({ "reason": "x".repeat(501), "actorId": actor }), "reason"),
            (json!({ "reason": "r", "actorId": "x" }), "actorId"),
            (json!({ "reason": "r" }), "actorId"),
            (json!({ "reason": "r", "actorId": actor, "floor": 0 }), "floor"),
            (json!({ "reason": "r", "actorId": actor, "direction": "sideways" }), "direction"),
        ] {
            let answer = ordered(&world, ada, verb, &body).await;
            assert_eq!(
                (answer.refusal(), answer.fields()),
                ((422, "validation_failed"), vec![field]),
                "{body}"
            );
        }
    }
    assert_eq!(bounded(&world, nobody, &bounds(0, None)).await.refusal(), (404, "not_found"));
    for (body, field) in [
        (json!({ "ceiling": null, "reason": "r", "actorId": actor }), "floor"),
        (json!({ "floor": null, "ceiling": null, "reason": "r", "actorId": actor }), "floor"),
        (json!({ "floor": 0.5, "ceiling": null, "reason": "r", "actorId": actor }), "floor"),
        // Forgotten is not the same as none.
        (json!({ "floor": 0, "reason": "r", "actorId": actor }), "ceiling"),
        (json!({ "floor": 0, "ceiling": "1", "reason": "r", "actorId": actor }), "ceiling"),
        (json!({ "floor": 0, "ceiling": -1, "reason": "r", "actorId": actor }), "ceiling"),
        (json!({ "floor": 0, "ceiling": null, "reason": "", "actorId": actor }), "reason"),
        (json!({ "floor": 0, "ceiling": null, "reason": "r" }), "actorId"),
        (
            json!({ "floor": 0, "ceiling": null, "reason": "r", "actorId": actor, "direction": "in" }),
            "direction",
        ),
    ] {
        let answer = bounded(&world, ada, &body).await;
        assert_eq!((answer.refusal(), answer.fields()), ((422, "validation_failed"), vec![field]), "{body}");
    }
    assert_eq!(world.events(ada).await.len(), 1);
}
