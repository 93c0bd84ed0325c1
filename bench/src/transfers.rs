//! `bench transfers`: clients on kept connections send `POST /api/v1/transactions/transfers` through the gateway, each
//! with a key of its own, and wait for the answer.
//!
//! All else that the platform does runs beside it: the relays publish to Kafka, admin-service takes every event into its
//! log. At the end of each shape nothing may be unsettled, and the books of both databases must agree.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::ensure;
use common_db::PgPool;
use common_utils::ids;

use crate::{
    client::Connection,
    database::{self, Server},
    load::{self, Caller, Measured},
    machine,
    memory::{self, Memory},
    meter::{Meter, Part},
    options::Options,
    people::{self, PEOPLE, Person},
    platform::{self, Events, Platform, SERVICES, Shape},
    quiet, report, sections, yardstick,
};

/// How long what was begun may take to be settled and published.
const PATIENCE: Duration = Duration::from_mins(2);

#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) name: &'static str,
    clients: usize,
    /// All pay the same merchant.
    hot: bool,
}

const LOADS: [Load; 5] = [
    Load { name: "64 clients", clients: 64, hot: false },
    Load { name: "256 clients", clients: 256, hot: false },
    Load { name: "1,024 clients", clients: 1_024, hot: false },
    Load { name: "64 clients, hot", clients: 64, hot: true },
    Load { name: "256 clients, hot", clients: 256, hot: true },
];

const SHAPES: [Shape; 5] = [
    Shape { one_process: true, events: Events::Kept },
    Shape { one_process: false, events: Events::Kept },
    Shape { one_process: false, events: Events::Published },
    Shape { one_process: true, events: Events::TakenIn },
    Shape { one_process: false, events: Events::TakenIn },
];

/// One load on one shape of the platform.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) load: Load,
    pub(crate) measured: Measured,
    /// Events that were still to be published at the end of the load, and how long that took.
    pub(crate) unpublished: i64,
    pub(crate) published_after: Duration,
    /// Events that admin-service had not taken in by then.
    pub(crate) unlogged: i64,
}

#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) shape: Shape,
    pub(crate) rows: Vec<Row>,
    /// Answers other than 201.
    pub(crate) others: BTreeMap<String, u64>,
    pub(crate) memory: Vec<Held>,
    pub(crate) completed: i64,
}

/// What a process held.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) process: &'static str,
    pub(crate) at_rest: Memory,
    pub(crate) at_half_time: Memory,
    pub(crate) at_most: Memory,
    pub(crate) after: Memory,
}

pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let server = Server::from_env()?;
    let machine = machine::describe(&server.admin).await?;
    let meter = Meter::new(server.admin.clone()).await?;
    let yardstick = yardstick::measure(options, &server, &meter).await?;
    let mut runs = Vec::new();
    for shape in
        SHAPES.into_iter().filter(|shape| LOADS.iter().any(|load| options.wants(&named(*shape, load))))
    {
        runs.push(shaped(options, &server, &meter, shape).await?);
    }
    for service in SERVICES {
        server.drop(&platform::database(service)).await?;
    }
    report::publish(options, "transfers", &sections::transfers(&machine, &yardstick, &runs))
}

pub(crate) fn named(shape: Shape, load: &Load) -> String {
    format!("{}, {}", sections::shape(shape), load.name)
}

async fn shaped(options: &Options, server: &Server, meter: &Meter, shape: Shape) -> anyhow::Result<Run> {
    for service in SERVICES {
        server.drop(&platform::database(service)).await?;
    }
    let mut platform = Platform::prepare(options.logs.clone(), shape).await?;
    let people: Arc<[Person]> = people::settle(server).await?.into();
    platform.start().await?;
    people::visit(platform.gateway()?, &people).await?;
    let books = Books::open(server);
    let meter = meter.with_parts([platform.parts(), options.servers()].concat());
    let answers = Arc::<Answers>::default();
    let at_rest = Memory::of(&platform.parts());
    let watch = memory::Watch::start(platform.parts());
    let mut rows = Vec::new();
    for load in LOADS.into_iter().filter(|load| options.wants(&named(shape, load))) {
        let row = quiet::measure(options, &meter, || {
            one(options, &platform, &meter, &books, load, &people, &answers)
        })
        .await?;
        println!("{}: {:.0} a second", named(shape, &load), row.measured.rate());
        rows.push(row);
    }
    let memory = held(&platform, &at_rest, &watch.end());
    let others = answers.others.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let run = Run { shape, rows, others, memory, completed: books.verify(&answers).await? };
    println!("{}: {} transfers, books exact", sections::shape(shape), run.completed);
    platform.stop().await?;
    Ok(run)
}

fn held(platform: &Platform, at_rest: &[Memory], meanwhile: &memory::Held) -> Vec<Held> {
    let parts = platform.parts();
    let after = Memory::of(&parts);
    let of = |(place, (process, _)): (usize, &Part)| {
        let at = |seen: &[Memory]| seen.get(place).copied().unwrap_or_default();
        Held {
            process,
            at_rest: at(at_rest),
            at_half_time: at(&meanwhile.at_half_time),
            at_most: at(&meanwhile.at_most),
            after: at(&after),
        }
    };
    parts.iter().enumerate().map(of).collect()
}

impl quiet::Disturbed for Row {
    fn cost(&self) -> &crate::meter::Cost {
        &self.measured.cost
    }
}

async fn one(
    options: &Options,
    platform: &Platform,
    meter: &Meter,
    books: &Books,
    load: Load,
    people: &Arc<[Person]>,
    answers: &Arc<Answers>,
) -> anyhow::Result<Row> {
    let gateway = platform.gateway()?;
    let mut senders = Vec::new();
    for number in 0..load.clients {
        senders.push(Sender {
            connection: Connection::open(gateway).await?,
            people: Arc::clone(people),
            // Everybody sends in turn, so that nobody sends more often than a person may.
            place: 1 + number,
            stride: load.clients,
            hot: load.hot,
            answers: Arc::clone(answers),
        });
    }
    let measured = load::run(senders, options.load_timing(), meter).await?;
    let (ended, unpublished) = (Instant::now(), books.unpublished().await?);
    books.settled(platform.shape).await?;
    Ok(Row {
        load,
        measured,
        unpublished,
        published_after: ended.elapsed(),
        unlogged: books.unlogged().await?,
    })
}

/// All answers to one shape of the platform.
#[derive(Debug, Default)]
struct Answers {
    created: AtomicU64,
    others: Mutex<BTreeMap<String, u64>>,
}

struct Sender {
    connection: Connection,
    people: Arc<[Person]>,
    place: usize,
    stride: usize,
    hot: bool,
    answers: Arc<Answers>,
}

impl Caller for Sender {
    async fn call(&mut self) -> anyhow::Result<u32> {
        let count = self.people.len();
        self.place = (self.place + self.stride) % count;
        // The merchant of the hot loads sends nothing.
        let from = self.place.max(1);
        let to = if self.hot { 0 } else { (from + rand::random_range(1..count)) % count };
        let request = request(&self.people[from], &self.people[to]);
        let answer = self.connection.call(request.as_bytes()).await?;
        if answer.status == 201 {
            self.answers.created.fetch_add(1, Ordering::Relaxed);
            return Ok(1);
        }
        let mut others = self.answers.others.lock().unwrap_or_else(PoisonError::into_inner);
        *others.entry(answer.told()).or_default() += 1;
        Ok(0)
    }
}

fn request(from: &Person, to: &Person) -> String {
    let amount = rand::random_range(1..=100);
    let body = format!(
        r#"{{"fromWalletId":"{}","to":{{"walletId":"{}"}},"amount":{{"amount":{amount},"currency":"NGN"}},"narration":"Lunch"}}"#,
        from.wallet, to.wallet,
    );
    format!(
        "POST /api/v1/transactions/transfers HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\n\
         Idempotency-Key: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        from.token,
        ids::new_id(),
        body.len(),
    )
}

/// The databases of the services, as somebody sees them who may read all of them.
struct Books {
    wallet: PgPool,
    transaction: PgPool,
    admin: PgPool,
}

impl Books {
    fn open(server: &Server) -> Self {
        let pool = |service| server.pool(&platform::database(service), 2);
        Self { wallet: pool("wallet"), transaction: pool("transaction"), admin: pool("admin") }
    }

    async fn unpublished(&self) -> sqlx::Result<i64> {
        self.events("SELECT COALESCE(sum(events), 0)::bigint FROM outbox_batches WHERE published_at IS NULL")
            .await
    }

    /// Events that were published and are not in the audit log.
    async fn unlogged(&self) -> sqlx::Result<i64> {
        let told = self.events("SELECT COALESCE(sum(events), 0)::bigint FROM outbox_batches").await?;
        // Nobody listened to the funding.
        let funding = i64::try_from(PEOPLE).unwrap_or_default();
        Ok(told - funding - count(&self.admin, "SELECT count(*) FROM audit_entries").await?)
    }

    async fn events(&self, statement: &'static str) -> sqlx::Result<i64> {
        Ok(count(&self.wallet, statement).await? + count(&self.transaction, statement).await?)
    }

    /// Waits until every transfer is final and, where that can be, every event is published.
    async fn settled(&self, shape: Shape) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let initiated = "SELECT count(*) FROM transactions WHERE status = 'initiated'";
            let unpublished = if shape.events == Events::Kept { 0 } else { self.unpublished().await? };
            let open = count(&self.transaction, initiated).await? + unpublished;
            if open == 0 {
                return Ok(());
            }
            ensure!(began.elapsed() < PATIENCE, "{open} transfers or events are still open");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Fails unless the ledger is exact, holds what transaction-service completed, and that is what was answered.
    async fn verify(&self, answers: &Answers) -> anyhow::Result<i64> {
        let completed = "SELECT count(*) FROM transactions WHERE status = 'completed'";
        let completed = count(&self.transaction, completed).await?;
        let answered = i64::try_from(answers.created.load(Ordering::Relaxed))?;
        let exact = answers.others.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        ensure!(
            completed == answered || (!exact && completed > answered),
            "{answered} transfers were answered, and {completed} are completed"
        );
        let decided = "SELECT count(*) FROM transactions";
        let decided = u64::try_from(count(&self.transaction, decided).await?)?;
        database::verify(&self.wallet, decided + PEOPLE as u64).await?;
        for pool in [&self.wallet, &self.transaction, &self.admin] {
            pool.close().await;
        }
        Ok(completed)
    }
}

async fn count(pool: &PgPool, statement: &'static str) -> sqlx::Result<i64> {
    sqlx::query_scalar(statement).fetch_one(pool).await
}
