//! Whatever the order of transfers, failures, crashes of the ledger and days: what counts is the sum of the transfers that have
//! not failed, and never more than the limit.

use std::time::Duration;

use common_utils::clock::Clock;
use proptest::{prelude::*, test_runner::TestRunner};
use uuid::Uuid;

use crate::{
    limits::{A_DAY, NEW_DEVICE, on_device, rich, windows},
    peers::Fault,
    support::{Customer, World, between, eventually, read, transfer_request},
};

#[derive(Debug, Clone)]
enum Step {
    /// All at once: by which of the two, from a new device, how much.
    Send(Vec<(bool, bool, i64)>),
    Wait(i64),
    Ledger(Ledger),
}

#[derive(Debug, Clone, Copy)]
enum Ledger {
    Works,
    Refuses,
    IsDown,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let amount = prop_oneof![3 => 1..A_DAY / 2, 1 => A_DAY / 2..A_DAY * 2];
    let sent = prop::collection::vec((any::<bool>(), prop::bool::weighted(0.3), amount), 1..8);
    let ledger = prop_oneof![Just(Ledger::Works), Just(Ledger::Refuses), Just(Ledger::IsDown)];
    let step = prop_oneof![
        5 => sent.prop_map(Step::Send),
        1 => (1_i64..40_000).prop_map(Step::Wait),
        2 => ledger.prop_map(Step::Ledger),
    ];
    prop::collection::vec(step, 2..9)
}

#[test]
fn what_counts_is_what_has_left() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let world = runtime.block_on(World::with(|config| config.call_timeout = Duration::from_secs(5)));
    let stop = runtime.block_on(world.run_instance());
    let config = ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() };
    TestRunner::new(config)
        .run(&steps(), |steps| {
            runtime.block_on(follow(&world, &steps));
            Ok(())
        })
        .unwrap();
    stop.cancel();
    // The database is dropped by a task of the runtime.
    runtime.block_on(async move { drop(world) });
}

async fn follow(world: &World, steps: &[Step]) {
    world.peers.fail(Fault::None);
    let people = [rich(world, "Ada"), rich(world, "Bola")];
    let users = [people[0].person.id, people[1].person.id];
    let bound = world.clock.now();
    let mut number = 0;
    for step in steps {
        match step {
            Step::Wait(seconds) => world.advance(*seconds),
            Step::Ledger(Ledger::Works) => world.peers.fail(Fault::None),
            Step::Ledger(Ledger::Refuses) => world.peers.fail(Fault::Refuse("wallet_frozen")),
            Step::Ledger(Ledger::IsDown) => world.peers.fail(Fault::Down),
            Step::Send(sent) => {
                let calls = sent.iter().map(|(by_first, device, amount)| {
                    number += 1;
                    let (from, to) = (&people[usize::from(!by_first)], &people[usize::from(*by_first)]);
                    let sender = if *device { on_device(world, from, bound) } else { fresh(world, from) };
                    let request =
                        transfer_request(&sender, &format!("k{number}"), &between(from, to, *amount));
                    let call = tower::ServiceExt::oneshot(world.router.clone(), request);
                    tokio::spawn(async move { read(call.await.unwrap()).await })
                });
                for call in calls.collect::<Vec<_>>() {
                    let status = call.await.unwrap().status.as_u16();
                    assert!([201, 422, 503].contains(&status), "{status}");
                }
            }
        }
        check(world, &users).await;
    }
    // Nothing stays open: recovery ends what the ledger did not answer.
    world.peers.fail(Fault::None);
    world.advance(20);
    let ended = eventually(async || (open(world, &users).await == 0).then_some(())).await;
    assert!(ended.is_some());
    check(world, &users).await;
}

async fn check(world: &World, users: &[Uuid]) {
    for (kind, moved, sum) in windows(world, users).await {
        let limit = if kind == "new_device" { NEW_DEVICE } else { A_DAY };
        assert!(moved == sum && moved <= limit, "{kind}: {moved} counted, {sum} sent, {limit} allowed");
    }
}

async fn open(world: &World, users: &[Uuid]) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM transactions WHERE status = 'initiated' AND from_user_id = ANY($1)",
    )
    .bind(users)
    .fetch_one(world.pool())
    .await
    .unwrap()
}

fn fresh(world: &World, customer: &Customer) -> Customer {
    Customer { token: world.token(customer.person.id), ..customer.clone() }
}
