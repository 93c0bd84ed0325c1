//! Processes that are killed, and started again by whoever looks: services apart, with two instances of what moves money,
//! or all of them in one.

use std::{
    collections::BTreeSet,
    os::unix::process::ExitStatusExt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use common_utils::crash;
use futures::future::join_all;
use sqlx::PgPool;

use super::postgres::Postgres;
use crate::{
    customers::Customer,
    deployment::{Deployment, free_port},
};

const ABORTED: i32 = 6;
/// What everybody starts with, in kobo.
pub(crate) const OPENING: i64 = 500_000;
const OPENING_NAIRA: &str = "5000.00";

const STANDALONE: &str = "standalone";

#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    Apart,
    OneProcess,
}

/// A process that may die.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) name: &'static str,
    program: &'static str,
    port: u16,
    settings: Vec<(&'static str, String)>,
}

impl Member {
    pub(crate) fn is(&self, program: &str) -> bool {
        self.program == program || self.program == STANDALONE
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

pub(crate) struct Cluster {
    pub(crate) platform: Deployment,
    pub(crate) postgres: Postgres,
    pub(crate) members: Vec<Member>,
    pub(crate) wallets: PgPool,
    pub(crate) transactions: PgPool,
    pub(crate) identities: PgPool,
    /// Where admin-service runs too.
    pub(crate) audit: Option<PgPool>,
    /// Members that are to die at a crash point, by name.
    armed: Mutex<BTreeSet<&'static str>>,
    deaths: AtomicUsize,
}

impl Cluster {
    pub(crate) async fn start(shape: Shape) -> Arc<Self> {
        let postgres = Postgres::new().await;
        let mut settings = postgres.settings().to_vec();
        settings.extend([
            ("JWT_EXPIRES_IN", "24h".to_owned()),
            // What a dead process has begun is taken over soon.
            ("CALL_TIMEOUT_SECONDS", "2".to_owned()),
            ("TRANSFER_LEASE_SECONDS", "3".to_owned()),
            ("LIMITS_FILE", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/crash/limits.toml").to_owned()),
        ]);
        let mut platform = Deployment::prepare_with(&settings);
        // Not by the gateway: what that protects from is not looked at here.
        let webhooks = format!("{}/api/v1/wallet/webhooks/providus", platform.service("wallet"));
        platform.set("TWIN_WEBHOOK_URL", webhooks);
        let members = match shape {
            Shape::Apart => apart(&platform),
            Shape::OneProcess => one_process(&platform),
        };
        let pool = |service| postgres.pool(platform.value(&format!("{service}_DB_NAME")));
        let (wallets, transactions, identities) = (pool("WALLET"), pool("TRANSACTION"), pool("IDENTITY"));
        let audit = matches!(shape, Shape::OneProcess).then(|| pool("ADMIN"));
        let (armed, deaths) = (Mutex::default(), AtomicUsize::new(0));
        let cluster =
            Self { platform, postgres, members, wallets, transactions, identities, audit, armed, deaths };
        cluster.platform.create_topics().await;
        cluster.platform.start("provider-twin");
        cluster.ready().await;
        Arc::new(cluster)
    }

    /// People with a wallet and money in it.
    pub(crate) async fn people(&self, count: usize) -> Arc<Vec<Customer>> {
        let funded = (0..count).map(|_| self.platform.funded_customer(OPENING_NAIRA));
        Arc::new(join_all(funded).await)
    }

    pub(crate) fn of(&self, program: &str) -> Vec<&Member> {
        self.members.iter().filter(|member| member.is(program)).collect()
    }

    fn start_with(&self, member: &Member, failpoints: &str) {
        let mut settings: Vec<(&str, &str)> =
            member.settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        settings.push(("FAILPOINTS", failpoints));
        self.platform.start_as(member.name, member.program, &settings);
    }

    /// SIGKILL. Who is dead already stays so.
    pub(crate) fn kill(&self, member: &Member) {
        if self.runs(member) {
            self.platform.kill(member.name);
            self.deaths.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn crash_postgres(&self) {
        self.postgres.crash();
        self.deaths.fetch_add(1, Ordering::Relaxed);
    }

    /// Starts it anew, to do this (`return`: die) at the point, after some passages.
    pub(crate) fn arm(&self, member: &Member, point: &str, passages: u32, action: &str) {
        self.thaw(member);
        if point.starts_with("consumer.") && self.runs(member) {
            // Its group waits for a consumer that was killed, and hands nothing out meanwhile.
            self.platform.terminate(member.name);
        }
        self.kill(member);
        self.start_with(member, &format!("{point}={passages}*off->1*{action}"));
        self.armed.lock().unwrap().insert(member.name);
    }

    /// It stands still for this long, and then goes on as if nothing had been.
    pub(crate) fn freeze(self: &Arc<Self>, member: &Member, time: Duration) {
        self.platform.signal(member.name, "STOP");
        let (cluster, member) = (Arc::clone(self), member.clone());
        tokio::spawn(async move {
            tokio::time::sleep(time).await;
            cluster.thaw(&member);
        });
    }

    fn thaw(&self, member: &Member) {
        self.platform.signal(member.name, "CONT");
    }

    /// Who was armed and lives is killed and started again.
    pub(crate) fn disarm(&self) {
        self.members.iter().for_each(|member| self.thaw(member));
        let armed = std::mem::take(&mut *self.armed.lock().unwrap());
        for member in self.members.iter().filter(|member| armed.contains(member.name)) {
            self.kill(member);
        }
        self.revive();
    }

    /// It has died at its crash point.
    pub(crate) fn crashed(&self, member: &Member) -> bool {
        !self.runs(member)
    }

    /// Starts again who is dead, as an orchestrator does.
    pub(crate) fn revive(&self) {
        for member in &self.members {
            if !self.runs(member) {
                self.start_with(member, "");
            }
        }
    }

    /// Who comes up while the database is away ends with a failure; nothing else but a crash point ends anybody.
    fn runs(&self, member: &Member) -> bool {
        let Some(ended) = self.platform.ended(member.name) else { return self.platform.runs(member.name) };
        let armed = self.armed.lock().unwrap().remove(member.name);
        match ended.signal() {
            Some(ABORTED) if armed => drop(self.deaths.fetch_add(1, Ordering::Relaxed)),
            None if ended.code() == Some(1) => {}
            _ => panic!("{} ended with {ended}", member.name),
        }
        false
    }

    /// How often somebody was killed or crashed.
    pub(crate) fn deaths(&self) -> usize {
        self.deaths.load(Ordering::Relaxed)
    }

    /// Waits until everybody serves.
    pub(crate) async fn ready(&self) {
        self.platform
            .until("everybody", async || {
                self.revive();
                join_all(self.members.iter().map(|member| self.serves(member))).await.into_iter().all(|it| it)
            })
            .await;
    }

    async fn serves(&self, member: &Member) -> bool {
        let answer = self.platform.client.get(format!("{}/health/ready", member.url())).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// Transfers that recovery has ended, as the logs tell.
    pub(crate) fn recovered(&self) -> usize {
        let logs = self.of("transaction-service").into_iter().map(|member| {
            let path = self.platform.dir().join(format!("{}.log", member.name));
            std::fs::read_to_string(path).unwrap_or_default()
        });
        logs.map(|log| log.matches("a transfer was recovered").count()).sum()
    }
}

/// Two instances of what moves money, each with a neighbour of its own, on the same databases.
fn apart(platform: &Deployment) -> Vec<Member> {
    let first = |name, program, port: &str| Member {
        name,
        program,
        port: platform.value(port).parse().unwrap(),
        settings: Vec::new(),
    };
    let second = |name, program, variable| {
        let port = free_port();
        Member { name, program, port, settings: vec![(variable, port.to_string())] }
    };
    let other_wallet = second("other-wallet", "wallet-service", "WALLET_PORT");
    let mut other_transaction = second("other-transaction", "transaction-service", "TRANSACTION_PORT");
    other_transaction.settings.push(("WALLET_URL", other_wallet.url()));
    vec![
        first("identity", "identity-service", "IDENTITY_PORT"),
        first("wallet", "wallet-service", "WALLET_PORT"),
        first("transaction", "transaction-service", "TRANSACTION_PORT"),
        other_wallet,
        other_transaction,
    ]
}

/// All services in one, and the bank not among them.
fn one_process(platform: &Deployment) -> Vec<Member> {
    let port = platform.value("TRANSACTION_PORT").parse().unwrap();
    let settings = vec![("TWIN_PORT", free_port().to_string())];
    vec![Member { name: STANDALONE, program: STANDALONE, port, settings }]
}

/// Who passes a crash point.
pub(crate) fn passes(point: &str) -> &'static str {
    assert!(crash::POINTS.contains(&point));
    match point {
        // Of the two consumers that move money along, one each.
        "consumer.before_commit" | "relay.after_publish" => "wallet-service",
        "consumer.after_commit" => "transaction-service",
        _ if point.starts_with("ledger.") || point.starts_with("deposit.") => "wallet-service",
        _ => "transaction-service",
    }
}
