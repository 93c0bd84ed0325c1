//! People who send money to each other, and send the same again, with the same key, until they know what became of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::cluster::{Cluster, Member};
use crate::customers::Customer;

const CLIENTS: u64 = 8;
/// For one answer.
const DEADLINE: Duration = Duration::from_secs(20);
/// For the outcome of one transfer, however often it is asked for.
const PATIENCE: Duration = Duration::from_mins(2);
/// More than all of them have together.
pub(crate) const TOO_MUCH: i64 = 1_000_000_000;
/// What may be said where the outcome is not known.
const NOT_NOW: [(u16, &str); 3] =
    [(503, "dependency_unavailable"), (503, "overloaded"), (409, "request_in_progress")];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Completed(Uuid),
    /// By the ledger; this, too, is for ever.
    Refused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Known(Outcome),
    /// In words of the contract, and with a time to come back.
    NotNow(&'static str),
    Silence,
}

#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) key: String,
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) amount: i64,
}

/// A transfer, and what its sender was told in the end.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) wish: Wish,
    pub(crate) outcome: Outcome,
    /// An answer did not come, or left it open.
    pub(crate) was_in_doubt: bool,
}

impl Wish {
    /// One attempt. An answer that the contract does not know is a failure of the test.
    pub(crate) async fn send(&self, cluster: &Cluster, at: &Member, people: &[Customer]) -> Answer {
        let (from, to) = (&people[self.from], &people[self.to]);
        let body = json!({
            "fromWalletId": from.wallet_id, "to": { "walletId": to.wallet_id },
            "amount": { "amount": self.amount, "currency": "NGN" },
        });
        let url = format!("{}/api/v1/transactions/transfers", at.url());
        let request = cluster.platform.client.post(url).timeout(DEADLINE).bearer_auth(&from.token);
        let Ok(answer) = request.header("Idempotency-Key", &self.key).json(&body).send().await else {
            return Answer::Silence;
        };
        let status = answer.status().as_u16();
        let comes_back = answer.headers().contains_key("retry-after");
        let Ok(body) = answer.json::<Value>().await else { return Answer::Silence };
        let code = body["code"].as_str().unwrap_or_default();
        match status {
            201 => Answer::Known(Outcome::Completed(body["id"].as_str().unwrap().parse().unwrap())),
            422 if code == "insufficient_funds" => Answer::Known(Outcome::Refused),
            _ => {
                let known = NOT_NOW.into_iter().find(|known| *known == (status, code));
                let (_, code) = known.filter(|_| comes_back).unwrap_or_else(|| panic!("{status} {body}"));
                Answer::NotNow(code)
            }
        }
    }
}

impl Wish {
    /// Attempts, until the outcome is known.
    pub(crate) async fn insist(self, cluster: &Cluster, people: &[Customer], random: &mut StdRng) -> Told {
        let (since, mut was_in_doubt) = (Instant::now(), false);
        loop {
            let answers = self.attempt(cluster, people, random).await;
            was_in_doubt |= answers.iter().any(|answer| !matches!(answer, Answer::Known(_)));
            let mut outcomes = answers.iter().filter_map(|answer| match answer {
                Answer::Known(outcome) => Some(*outcome),
                _ => None,
            });
            if let Some(outcome) = outcomes.next() {
                assert!(outcomes.all(|other| other == outcome), "{self:?} was told {answers:?}");
                return Told { wish: self, outcome, was_in_doubt };
            }
            assert!(since.elapsed() < PATIENCE, "no end of {self:?}: {answers:?}");
            // Mostly it is the sender who finds the end of a transfer in doubt; who is patient leaves it to recovery.
            let pause = if random.random_ratio(1, 6) { 1_000..4_000 } else { 20..200 };
            tokio::time::sleep(Duration::from_millis(random.random_range(pause))).await;
        }
    }

    /// At either instance; some are impatient, and send the same to both at once.
    async fn attempt(&self, cluster: &Cluster, people: &[Customer], random: &mut StdRng) -> Vec<Answer> {
        let instances = cluster.of("transaction-service");
        let send = |at: usize| self.send(cluster, instances[at], people);
        let one = random.random_range(0..instances.len());
        if random.random_ratio(1, 10) {
            let (first, second) = tokio::join!(send(one), send((one + 1) % instances.len()));
            vec![first, second]
        } else {
            vec![send(one).await]
        }
    }
}

/// All clients, until they are told to stop.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Vec<Told>>>,
}

impl Load {
    /// `round` keeps the keys of one load apart from those of another.
    pub(crate) fn start(cluster: &Arc<Cluster>, people: &Arc<Vec<Customer>>, seed: u64, round: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let clients = (0..CLIENTS).map(|number| {
            let client = Client {
                cluster: Arc::clone(cluster),
                people: Arc::clone(people),
                random: StdRng::seed_from_u64(seed ^ (round << 16) ^ (number << 8)),
                name: format!("{round}-{number}"),
            };
            tokio::spawn(client.run(Arc::clone(&stop)))
        });
        Self { clients: clients.collect(), stop }
    }

    /// They end what they have begun.
    pub(crate) async fn finish(self) -> Vec<Told> {
        self.stop.store(true, Ordering::Relaxed);
        let mut told = Vec::new();
        for client in self.clients {
            told.extend(client.await.unwrap());
        }
        told
    }
}

struct Client {
    cluster: Arc<Cluster>,
    people: Arc<Vec<Customer>>,
    random: StdRng,
    name: String,
}

impl Client {
    async fn run(mut self, stop: Arc<AtomicBool>) -> Vec<Told> {
        let mut told = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let wish = self.wish(told.len());
            told.push(wish.insist(&self.cluster, &self.people, &mut self.random).await);
        }
        told
    }

    fn wish(&mut self, number: usize) -> Wish {
        let people = self.people.len();
        let from = self.random.random_range(0..people);
        let to = (from + self.random.random_range(1..people)) % people;
        let amount =
            if self.random.random_ratio(1, 8) { TOO_MUCH } else { self.random.random_range(1..2_000) };
        Wish { key: format!("{}-{number}", self.name), from, to, amount }
    }
}
