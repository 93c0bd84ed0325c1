//! What wallets may hold, by the tiers of their owners.

use std::{sync::Arc, time::Duration};

use axum::http::Method;
use chrono::{DateTime, TimeDelta, Utc};
use common_utils::{
    clock::Clock,
    ids::{self, UserId, WalletId},
    money::{Currency, Money},
};
use futures::FutureExt;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use wallet_service::{
    ledger::{Leg, Posting, PostingResult, RefusalCode},
    owners::Sweep,
    wallets,
};

use crate::{
    ledger_concurrency::code,
    ledger_orders::{hold, refund, release, reverse},
    support::{World, equity, leg, of, posting, tell, tier_event, transfer},
    webhooks_bank::eventually,
};

const LOW: i64 = 30_000_000;
const MIDDLE: i64 = 50_000_000;

async fn posted(world: &World, posting: Posting) -> Option<RefusalCode> {
    code(&world.post_one(posting).await)
}

fn gift(wallet: WalletId, amount: i64) -> Posting {
    posting(vec![leg(equity(), of(wallet), amount)])
}

#[tokio::test]
async fn every_tier_has_its_ceiling_to_the_last_kobo() {
    let world = World::open().await;
    for (tier, most) in [(0, LOW), (1, LOW), (2, MIDDLE)] {
        let user = UserId::new();
        let before = world.wallet(user, "NGN").await;
        world.tell_tier(user, tier).await;
        for wallet in [before, world.wallet(user, "NGN").await] {
            assert_eq!(posted(&world, gift(wallet, most)).await, None, "tier {tier}");
            let refused: PostingResult = world.post_one(gift(wallet, 1)).await;
            let refusal = refused.outcome.refusal().unwrap();
            let expected = (RefusalCode::CeilingExceeded, Some(wallet), Some(1));
            assert_eq!((refusal.code, refusal.wallet_id, refusal.missing), expected, "tier {tier}");
            assert_eq!(world.balance(wallet).await, most);
        }
    }
    let user = UserId::new();
    world.tell_tier(user, 3).await;
    let wallet = world.wallet(user, "NGN").await;
    assert_eq!(posted(&world, gift(wallet, 1_000_000_000_000)).await, None);
    world.verify().await;
}

#[tokio::test]
async fn who_is_not_known_yet_is_in_the_lowest_tier_and_other_currencies_have_no_ceiling() {
    let world = World::open().await;
    let user = UserId::new();
    world.take_in("identity.user.registered", user).await;
    let (naira, dollars) = (world.wallet(user, "NGN").await, world.wallet(user, "USD").await);
    let default = wallets::list_by_user(&world.db.pool, user).await.unwrap()[0].id;
    assert_eq!(world.intake_ceiling(default).await, Some(LOW));
    assert_eq!(world.intake_ceiling(naira).await, Some(LOW));
    assert_eq!(world.intake_ceiling(dollars).await, None);
    world.tell_tier(user, 2).await;
    assert_eq!(world.intake_ceiling(default).await, Some(MIDDLE));
    assert_eq!(world.intake_ceiling(naira).await, Some(MIDDLE));
    assert_eq!(world.intake_ceiling(dollars).await, None);
    let amount = Money::new(LOW * 100, Currency::USD);
    let much = posting(vec![Leg { debit: equity(), credit: of(dollars), amount }]);
    assert_eq!(posted(&world, much).await, None);
}

#[tokio::test]
async fn a_tier_that_lapses_keeps_new_money_out_and_takes_none_away() {
    let world = World::open().await;
    let (user, ada) = world.person_with(0).await;
    let (_, bola) = world.person_with(0).await;
    world.tell_tier(user, 2).await;
    world.fund(ada, 40_000_000).await;
    let (rent, lunch) = (transfer(ada, bola, 1_000), transfer(ada, bola, 600));
    assert_eq!([posted(&world, rent.clone()).await, posted(&world, lunch.clone()).await], [None; 2]);

    world.tell_tier(user, 1).await;
    assert_eq!(world.balance(ada).await, 39_998_400);
    assert_eq!(posted(&world, transfer(bola, ada, 1)).await, Some(RefusalCode::CeilingExceeded));
    // What was the person's own comes back, and holds are released.
    assert_eq!(posted(&world, reverse(rent.id())).await, None);
    assert_eq!(posted(&world, refund(lunch.id(), of(bola), 600)).await, None);
    let held = hold(ada, 5_000, world.clock.now() + TimeDelta::hours(1));
    assert_eq!(posted(&world, held.clone()).await, None);
    assert_eq!(posted(&world, release(held.id())).await, None);
    assert_eq!((world.balance(ada).await, world.held(ada).await), (40_000_000, 0));
    // And money goes out as ever; below the ceiling there is room again.
    assert_eq!(posted(&world, posting(vec![leg(of(ada), equity(), 10_000_001)])).await, None);
    assert_eq!(posted(&world, gift(ada, 1)).await, None);
    assert_eq!(posted(&world, gift(ada, 1)).await, Some(RefusalCode::CeilingExceeded));
    world.verify().await;
}

#[tokio::test]
async fn between_ones_own_wallets_any_sum_goes_that_fits_the_one_that_gets_it() {
    let world = World::open().await;
    let (user, salary) = world.person_with(LOW).await;
    let savings = world.wallet(user, "NGN").await;
    // More than a single deposit may be: this is none.
    assert_eq!(posted(&world, transfer(salary, savings, 20_000_000)).await, None);
    world.fund(salary, 10_000_001).await;
    assert_eq!(
        posted(&world, transfer(salary, savings, 10_000_001)).await,
        Some(RefusalCode::CeilingExceeded)
    );
    assert_eq!(posted(&world, transfer(salary, savings, 10_000_000)).await, None);
    assert_eq!((world.balance(salary).await, world.balance(savings).await), (10_000_001, LOW));
}

/// A tier as it was told, `second` seconds after the beginning.
async fn told(world: &World, user: UserId, list: &[(i16, i64)]) {
    let start: DateTime<Utc> = "2026-01-01T12:00:00Z".parse().unwrap();
    let event = |(tier, second): &(i16, i64)| {
        let kind = ["registered", "verified", "updated"][usize::try_from(*second).unwrap() % 3];
        let at = start + TimeDelta::seconds(*second);
        tier_event(&format!("identity.user.{kind}"), user, *tier, at)
    };
    tell(&world.state, &list.iter().map(event).collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn the_tier_that_was_told_last_counts_in_whatever_order_it_comes_and_however_often() {
    let world = World::open().await;
    let tiers = [(0, 0), (3, 1), (1, 2), (2, 3)];
    let turned = (0..tiers.len()).map(|by| {
        let mut turned = tiers.to_vec();
        turned.rotate_left(by);
        turned
    });
    let orders = turned.flat_map(|order| [order.iter().rev().copied().collect(), order]);
    for order in orders.collect::<Vec<Vec<(i16, i64)>>>() {
        let (one_by_one, together) = (UserId::new(), UserId::new());
        let wallets = [world.wallet(one_by_one, "NGN").await, world.wallet(together, "NGN").await];
        for told_of in order.iter().chain(&order) {
            told(&world, one_by_one, &[*told_of]).await;
        }
        let twice: Vec<(i16, i64)> = order.iter().chain(&order).copied().collect();
        told(&world, together, &twice).await;
        for wallet in wallets {
            assert_eq!(world.intake_ceiling(wallet).await, Some(MIDDLE), "{order:?}");
        }
    }
}

#[tokio::test]
async fn what_staff_and_tiers_allow_are_two_bounds() {
    let world = World::open().await;
    let (user, wallet) = world.person_with(0).await;
    let path = format!("/internal/v1/wallets/{wallet}");
    let bounds = json!({ "floor": 0, "ceiling": 100, "reason": "r", "actorId": ids::new_id() });
    assert_eq!(world.order(Method::PUT, &format!("{path}/bounds"), &bounds).await.status, 200);
    assert_eq!(world.intake_ceiling(wallet).await, Some(LOW));
    world.tell_tier(user, 3).await;
    let facts = world.internal_get(&path).await.body;
    assert_eq!((&facts["ceiling"], &facts["intakeCeiling"]), (&json!(100), &json!(null)));
    assert_eq!(posted(&world, gift(wallet, 101)).await, Some(RefusalCode::CeilingExceeded));
    world.tell_tier(user, 1).await;
    let facts = world.internal_get(&path).await.body;
    assert_eq!((&facts["ceiling"], &facts["intakeCeiling"]), (&json!(100), &json!(LOW)));
}

#[tokio::test]
async fn every_start_brings_the_ceilings_in_line_with_the_figures() {
    let world = World::open().await;
    let (known, in_line, stranger) = (UserId::new(), UserId::new(), UserId::new());
    let naira = [world.wallet(known, "NGN").await, world.wallet(known, "NGN").await];
    let (dollars, other) = (world.wallet(known, "USD").await, world.wallet(in_line, "NGN").await);
    let unknown = world.wallet(stranger, "NGN").await;
    world.tell_tier(known, 2).await;
    world.tell_tier(in_line, 3).await;

    let sweep = |config| Sweep { pool: world.db.pool.clone(), config, every: Duration::from_hours(1) };
    let off = World::without_limits().await;
    sweep(Arc::clone(&off.state.config)).all().await.unwrap();
    for wallet in [naira[0], naira[1], dollars, other] {
        assert_eq!(world.intake_ceiling(wallet).await, None);
    }
    // Of whom nothing was told, nothing is changed.
    assert_eq!(world.intake_ceiling(unknown).await, Some(LOW));

    sweep(Arc::clone(&world.state.config)).all().await.unwrap();
    assert_eq!(world.intake_ceiling(naira[0]).await, Some(MIDDLE));
    assert_eq!(world.intake_ceiling(naira[1]).await, Some(MIDDLE));
    assert_eq!(world.intake_ceiling(dollars).await, None);
    assert_eq!(world.intake_ceiling(other).await, None);
}

#[tokio::test]
async fn a_wallet_that_got_no_ceiling_meanwhile_has_one_after_the_next_sweep() {
    let world = World::open().await;
    let (user, wallet) = world.person_with(0).await;
    world.tell_tier(user, 2).await;
    let config = Arc::clone(&world.state.config);
    let sweep = Sweep { pool: world.db.pool.clone(), config, every: Duration::from_millis(20) };
    let stop = CancellationToken::new();
    let running = tokio::spawn(sweep.run(stop.clone()));
    // As an instance leaves it that knows nothing of ceilings. The first may be of the sweep at the start.
    for _ in 0..2 {
        sqlx::query("UPDATE balances SET intake_ceiling = NULL WHERE account_id = $1")
            .bind(wallet.uuid())
            .execute(&world.db.pool)
            .await
            .unwrap();
        let back = async || (world.intake_ceiling(wallet).await == Some(MIDDLE)).then_some(());
        eventually("the ceiling", back).await;
    }
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn only_a_tier_that_moved_wakes_who_releases_deposits() {
    let world = World::open().await;
    let user = UserId::new();
    let woken = || world.state.limits_moved.notified().now_or_never().is_some();
    assert!(!woken());
    for (tier, moved) in [(1, true), (1, false), (3, true), (3, false), (2, true)] {
        world.tell_tier(user, tier).await;
        assert_eq!(woken(), moved, "{tier}");
    }
    // One event of many that moves a tier is enough.
    told(&world, UserId::new(), &[(0, 0), (0, 1)]).await;
    assert!(woken());
}
