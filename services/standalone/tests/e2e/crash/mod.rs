//! The proof by crashes: what was answered 2xx is durable, and a crash at any line leaves nothing half done.
//!
//! Clients move money through two instances of each service and insist on an outcome. Meanwhile processes die: at
//! each crash point once (`common_utils::crash`), or at moments of chance, the database among them. When all are back and
//! everything has ended, the books are compared with what the clients were told (`books.rs`).
//!
//! `CRASH_SEED` repeats the choices of a run (not its moments: those are the machine's), `CRASH_ROUNDS` makes the second
//! test longer; `scripts/soak.sh` sets both.

#![expect(clippy::print_stdout, reason = "seeds and counts, for whoever reads on")]

mod books;
mod cluster;
mod faults;
mod load;
mod postgres;

use std::{sync::Arc, time::Duration};

use common_utils::crash;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::customers::Customer;
use cluster::{Cluster, Member, Shape, passes};
use load::{Load, Told, Wish};

const PEOPLE: usize = 4;
const KILLS_OF_A_ROUND: u32 = 10;

/// A storm over a cluster, and what is known of it afterwards.
struct Storm {
    random: StdRng,
    cluster: Arc<Cluster>,
    people: Arc<Vec<Customer>>,
    told: Vec<Told>,
    deposits: Vec<(usize, i64)>,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_each_point_leaves_nothing_half_done() {
    let seed = seed();
    let mut storm = Storm::new(Shape::Apart, seed).await;
    let load = Load::start(&storm.cluster, &storm.people, seed, 0);
    // First those that need a consumer group without a dead member.
    let (mut points, others): (Vec<_>, Vec<_>) =
        points().into_iter().partition(|point| point.starts_with("consumer."));
    points.extend(others);
    for point in points {
        storm.crash_at(point).await;
    }
    storm.calm(load).await;
    storm.check(seed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_at_random_leave_nothing_half_done() {
    kill_at_random(Shape::Apart).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_at_random_of_everything_at_once_leave_nothing_half_done() {
    kill_at_random(Shape::OneProcess).await;
}

async fn kill_at_random(shape: Shape) {
    let seed = seed();
    let mut storm = Storm::new(shape, seed).await;
    for round in 0..number_in("CRASH_ROUNDS").unwrap_or(1) {
        let load = Load::start(&storm.cluster, &storm.people, seed, round);
        for _ in 0..KILLS_OF_A_ROUND {
            storm.strike().await;
        }
        storm.calm(load).await;
        storm.check(seed).await;
    }
}

/// Those that a service passes by itself. A rebuild is a command; admin-service's own tests kill it.
fn points() -> Vec<&'static str> {
    crash::POINTS.into_iter().filter(|point| !point.starts_with("rebuild.")).collect()
}

impl Storm {
    async fn new(shape: Shape, seed: u64) -> Self {
        let cluster = Cluster::start(shape).await;
        let people = cluster.people(PEOPLE).await;
        let random = StdRng::seed_from_u64(seed);
        Self { random, cluster, people, told: Vec::new(), deposits: Vec::new() }
    }

    /// Lets somebody die at this point who passes it, and waits for it.
    async fn crash_at(&mut self, point: &'static str) {
        let cluster = Arc::clone(&self.cluster);
        let mut victims = cluster.of(passes(point));
        // Which of the two gets to these is not known.
        let either =
            ["consumer.", "relay.", "recovery.", "deposit."].iter().any(|kind| point.starts_with(kind));
        if !either {
            let one = self.random.random_range(0..victims.len());
            victims = vec![victims[one]];
        }
        let first = either || self.random.random();
        let passages = if first { 0 } else { self.random.random_range(1..4) };
        for victim in &victims {
            cluster.arm(victim, point, passages, "return");
        }
        let abandoned = self.cause(point).await;
        let any = || victims.iter().any(|victim| cluster.crashed(victim));
        cluster.platform.until(&format!("a crash at {point}"), async || any()).await;
        for victim in victims {
            cluster.kill(victim);
        }
        cluster.ready().await;
        for wish in abandoned {
            self.told.push(wish.insist(&cluster, &self.people, &mut self.random).await);
        }
    }

    /// What the load does not do by itself; gives back the wishes whose senders have gone away.
    async fn cause(&mut self, point: &str) -> Vec<Wish> {
        let cluster = Arc::clone(&self.cluster);
        match point {
            "consumer.before_commit" => drop(cluster.platform.register().await),
            "deposit.before_commit" | "deposit.after_commit" => self.deposit().await,
            "recovery.after_take" => {
                for wallet in cluster.of("wallet-service") {
                    cluster.kill(wallet);
                }
                let wish = |number| Wish { key: format!("abandoned-{number}"), from: 0, to: 1, amount: 100 };
                let wishes: Vec<Wish> = (0..4).map(wish).collect();
                for wish in &wishes {
                    for instance in cluster.of("transaction-service") {
                        wish.send(&cluster, instance, &self.people).await;
                    }
                }
                return wishes;
            }
            _ => {}
        }
        Vec::new()
    }

    /// Somebody dies, at a moment of chance.
    async fn strike(&mut self) {
        let cluster = Arc::clone(&self.cluster);
        if cluster.members.len() == 1 || self.random.random() {
            cluster.ready().await;
        }
        self.pause(100, 1500).await;
        match self.random.random_range(0..12) {
            0 | 1 => {
                cluster.crash_postgres();
                self.pause(0, 600).await;
                cluster.postgres.start().await;
            }
            2..=4 => self.somebody_at_a_point("return"),
            // Longer than a lease: somebody else does the work meanwhile, and it is done once all the same.
            5 => self.somebody_at_a_point("sleep(4000)"),
            6 => {
                // Sometimes also longer than a consumer is missed by its group.
                let seconds = if self.random.random_ratio(1, 3) { 12 } else { 4 };
                cluster.freeze(self.somebody(&cluster), Duration::from_secs(seconds));
            }
            7 => {
                cluster.kill(self.somebody(&cluster));
                cluster.kill(self.somebody(&cluster));
                self.pause(0, 400).await;
            }
            _ => {
                cluster.kill(self.somebody(&cluster));
                self.pause(0, 400).await;
            }
        }
        if self.random.random_ratio(1, 3) {
            self.deposit().await;
        }
        cluster.revive();
    }

    fn somebody_at_a_point(&mut self, action: &str) {
        let points = points();
        let point = points[self.random.random_range(0..points.len())];
        let members = self.cluster.of(passes(point));
        let member = members[self.random.random_range(0..members.len())];
        self.cluster.arm(member, point, self.random.random_range(0..4), action);
    }

    fn somebody<'a>(&mut self, cluster: &'a Cluster) -> &'a Member {
        &cluster.members[self.random.random_range(0..cluster.members.len())]
    }

    async fn pause(&mut self, least: u64, most: u64) {
        tokio::time::sleep(Duration::from_millis(self.random.random_range(least..most))).await;
    }

    /// Money comes in at the bank, which tells of it twice.
    async fn deposit(&mut self) {
        let person = self.random.random_range(0..self.people.len());
        let naira: i64 = self.random.random_range(1..100);
        self.cluster.platform.pay_in(&self.people[person], &format!("{naira}.00")).await;
        self.deposits.push((person, naira * 100));
    }

    /// The storm is over: clients come to their ends, and so does everything else.
    async fn calm(&mut self, load: Load) {
        let ending = tokio::spawn(load.finish());
        self.cluster.disarm();
        while !ending.is_finished() {
            self.cluster.revive();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.told.extend(ending.await.unwrap());
        self.cluster.settled(self.people.len() + self.deposits.len()).await;
    }

    async fn check(&self, seed: u64) {
        self.cluster.check(&self.people, &self.told, &self.deposits).await;
        let refused = self.told.iter().filter(|told| told.outcome == load::Outcome::Refused).count();
        let in_doubt = self.told.iter().filter(|told| told.was_in_doubt).count();
        println!(
            "seed {seed}: {} deaths, {} transfers ({refused} refused, {in_doubt} in doubt, {} ended by recovery), {} deposits",
            self.cluster.deaths(),
            self.told.len(),
            self.cluster.recovered(),
            self.people.len() + self.deposits.len(),
        );
    }
}

/// From `CRASH_SEED`, or by chance; shown with a failure.
fn seed() -> u64 {
    let seed = number_in("CRASH_SEED").unwrap_or_else(|| rand::random_range(0..1_000_000));
    println!("to repeat: CRASH_SEED={seed} CRASH_ROUNDS={}", number_in("CRASH_ROUNDS").unwrap_or(1));
    seed
}

fn number_in(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} has to be a number")))
}
