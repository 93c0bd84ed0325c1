//! Whatever the order of transfers, failures, crashes of the ledger and days: what counts is the sum of the transfers that have
//! not failed, and never more than the limit. And of a batch that shares a statement, each is decided as if it came alone.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use common_utils::{clock::Clock, ids};
use proptest::{prelude::*, test_runner::TestRunner};
use uuid::Uuid;

use crate::{
    limits::{A_DAY, NEW_DEVICE, on_device, rich, tier, windows},
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

/// One of a batch that is claimed by one statement: whose, how much, and on which of their new devices.
type Ask = (usize, i64, Option<i64>);

const DAY: i64 = 100;
const DEVICE: i64 = 40;
/// Whom nothing limits but a new device.
const HIGHEST: usize = 2;

fn batches() -> impl Strategy<Value = Vec<Vec<Ask>>> {
    let ask = (0_usize..3, 1_i64..60, prop::option::weighted(0.4, 0_i64..2));
    prop::collection::vec(prop::collection::vec(ask, 1..12), 1..4)
}

/// What each person has sent, in their day and by all their new devices, decided one ask after the other: what is left where that is
/// too little.
#[derive(Default)]
struct Model(HashMap<(usize, Window), i64>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Window {
    Day,
    Devices,
}

impl Model {
    fn decide(&mut self, (person, amount, device): Ask) -> Option<i64> {
        let mut windows = vec![((person, Window::Day), if person == HIGHEST { None } else { Some(DAY) })];
        windows.extend(device.map(|_| ((person, Window::Devices), Some(DEVICE))));
        let left =
            |(window, most): &(_, Option<i64>)| most.map(|most| most - self.0.get(window).unwrap_or(&0));
        let refused = windows.iter().filter_map(left).filter(|left| amount > *left).min();
        if refused.is_none() {
            for (window, _) in windows {
                *self.0.entry(window).or_default() += amount;
            }
        }
        refused
    }
}

#[test]
fn a_batch_is_decided_as_if_each_came_alone() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let world = runtime.block_on(World::new());
    let config = ProptestConfig { cases: 100, failure_persistence: None, ..Default::default() };
    TestRunner::new(config)
        .run(&batches(), |batches| {
            runtime.block_on(compare(&world, &batches));
            Ok(())
        })
        .unwrap();
    runtime.block_on(async move { drop(world) });
}

async fn compare(world: &World, batches: &[Vec<Ask>]) {
    let people: Vec<Customer> = (0..3).map(|_| world.customer("Ada", "Obi")).collect();
    tier(world, &people[HIGHEST], 3).await;
    let mut model = Model::default();
    for batch in batches {
        let expected: Vec<Option<i64>> = batch.iter().map(|ask| model.decide(*ask)).collect();
        assert_eq!(claim(world, &people, batch).await, expected, "{batch:?} of {batches:?}");
    }
    for (index, person) in people.iter().enumerate() {
        let held: i64 = windows(world, &[person.person.id]).await.iter().map(|(_, moved, _)| moved).sum();
        let expected: i64 = model.0.iter().filter(|((of, _), _)| *of == index).map(|(_, moved)| moved).sum();
        assert_eq!(held, expected, "{batches:?}");
    }
}

/// What is left, of those that are refused.
async fn claim(world: &World, people: &[Customer], batch: &[Ask]) -> Vec<Option<i64>> {
    let ids: Vec<Uuid> = batch.iter().map(|_| ids::new_id()).collect();
    let users: Vec<Uuid> = batch.iter().map(|(person, ..)| people[*person].person.id).collect();
    let now = world.clock.now();
    let devices: Vec<Option<DateTime<Utc>>> =
        batch.iter().map(|(.., device)| device.map(|device| now - TimeDelta::seconds(device))).collect();
    let rows: Vec<(Uuid, Option<DateTime<Utc>>, Option<i64>)> = sqlx::query_as(
        "SELECT id, outflow_day, over_limit_left
         FROM claim_transfers($1, $2, $3, $4, $5, $6, $6, $7, $8, $9, 'NGN', $10, $11, $12, 5, '{}')",
    )
    .bind(users.iter().map(Uuid::to_string).collect::<Vec<_>>())
    .bind(ids.iter().map(Uuid::to_string).collect::<Vec<_>>())
    .bind(vec![vec![0_u8]; batch.len()])
    .bind(&ids)
    .bind(now)
    .bind(&users)
    .bind(batch.iter().map(|(_, amount, _)| *amount).collect::<Vec<_>>())
    .bind(vec![now; batch.len()])
    .bind(devices)
    .bind(vec![Some(DAY), Some(DAY), Some(DAY), None])
    .bind(DEVICE)
    .bind(now - TimeDelta::hours(24))
    .fetch_all(world.pool())
    .await
    .unwrap();
    let found: HashMap<Uuid, (Option<DateTime<Utc>>, Option<i64>)> =
        rows.into_iter().map(|(id, day, left)| (id, (day, left))).collect();
    let left = |id| {
        let (day, left) = found[id];
        assert_ne!(day.is_some(), left.is_some(), "counted, or refused");
        left
    };
    ids.iter().map(left).collect()
}
