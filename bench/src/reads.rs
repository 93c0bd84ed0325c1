//! `bench reads`: what a customer's screen asks of wallet-service, over HTTP, on a ledger with a past.

use std::sync::Arc;

use chrono::{SecondsFormat, TimeDelta};
use common_auth::testing;
use common_utils::clock::{Clock, SystemClock};
use rand::RngExt;

use crate::{
    client::Connection,
    database::Server,
    history::{self, History, Size},
    load::{self, Caller, Measured},
    machine,
    meter::Meter,
    options::Options,
    quiet, report,
    served::Served,
    table::{Table, milliseconds, whole},
};

const DATABASE: &str = "bench_reads";
/// Their tokens are known after the first call.
const PEOPLE: u64 = 2_000;
const MANY: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read {
    Balance,
    BalanceAt,
    Newest,
    Oldest,
    Statement,
    Wallets,
}

impl Read {
    pub(crate) const ALL: [Self; 6] =
        [Self::Balance, Self::BalanceAt, Self::Newest, Self::Oldest, Self::Statement, Self::Wallets];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Balance => "balance",
            Self::BalanceAt => "balance at a time",
            Self::Newest => "entries, newest first",
            Self::Oldest => "entries, oldest first",
            Self::Statement => "statement of 30 days",
            Self::Wallets => "list of wallets",
        }
    }
}

/// A service, with people who may read.
pub(crate) struct Readers {
    service: Served,
    people: Arc<[Reader]>,
    merchant: Arc<[Reader]>,
    history: History,
}

/// A wallet, and a token of its owner.
#[derive(Debug, Clone)]
struct Reader {
    wallet: u64,
    token: String,
}

impl Readers {
    pub(crate) async fn start(server: &Server, database: &str, history: History) -> anyhow::Result<Self> {
        let service = Served::start(server, database).await?;
        let reader = |wallet| {
            let claims = testing::claims(History::owner(wallet), SystemClock.now());
            Ok(Reader { wallet, token: service.people.sign(&claims)? })
        };
        // Spread over all accounts.
        let (count, all) = (PEOPLE.min(history.size.accounts), history.size.accounts);
        let people =
            (0..count).map(|place| reader(1 + place * all / count)).collect::<anyhow::Result<_>>()?;
        let merchant = Arc::from([reader(1)?]);
        Ok(Self { service, people, merchant, history })
    }

    /// So many callers read; of the merchant, or of anybody.
    pub(crate) async fn measure(
        &self,
        options: &Options,
        meter: &Meter,
        read: Read,
        merchant: bool,
        callers: usize,
    ) -> anyhow::Result<Measured> {
        quiet::measure(options, meter, async || {
            let mut all = Vec::new();
            for _ in 0..callers {
                let readers = if merchant { &self.merchant } else { &self.people };
                all.push(ReadCaller {
                    connection: Connection::open(self.service.address).await?,
                    readers: Arc::clone(readers),
                    history: self.history,
                    read,
                    next: None,
                });
            }
            load::run(all, options.short_timing(), meter).await
        })
        .await
    }

    pub(crate) async fn end(self) -> anyhow::Result<()> {
        self.service.end().await
    }
}

struct ReadCaller {
    connection: Connection,
    readers: Arc<[Reader]>,
    history: History,
    read: Read,
    /// The next page of a list, and whose it is.
    next: Option<(usize, String)>,
}

impl Caller for ReadCaller {
    async fn call(&mut self) -> anyhow::Result<u32> {
        let (place, cursor) = match self.next.take() {
            Some((place, cursor)) => (place, Some(cursor)),
            None => (rand::random_range(0..self.readers.len()), None),
        };
        let path = self.path(self.readers[place].wallet, cursor.as_deref());
        let answer = self.connection.get(&path, &self.readers[place].token).await?;
        anyhow::ensure!(answer.status == 200, "{path}: {}", answer.told());
        self.next = next_cursor(&answer.body).map(|cursor| (place, cursor));
        Ok(1)
    }
}

impl ReadCaller {
    fn path(&self, wallet: u64, cursor: Option<&str>) -> String {
        let own = format!("/api/v1/wallet/wallets/{}", History::wallet(wallet));
        let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        match self.read {
            Read::Balance => format!("{own}/balance"),
            Read::BalanceAt => format!("{own}/balance?at={}", self.moment(TimeDelta::zero()).0),
            Read::Newest => format!("{own}/entries?order=desc{cursor}"),
            Read::Oldest => format!("{own}/entries?order=asc{cursor}"),
            Read::Statement => {
                let (from, to) = self.moment(TimeDelta::days(30));
                format!("{own}/statement?from={from}&to={to}")
            }
            Read::Wallets => "/api/v1/wallet/wallets?limit=10".to_owned(),
        }
    }

    /// Some moment of the past, and one that is so much later.
    fn moment(&self, length: TimeDelta) -> (String, String) {
        let History { begins, ends, .. } = self.history;
        let seconds = (ends - begins - length).num_seconds();
        let from = begins + TimeDelta::seconds(rand::rng().random_range(0..seconds));
        let text = |time: chrono::DateTime<chrono::Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
        (text(from), text(from + length))
    }
}

/// A page of entries says where the next one begins. The answers are our own, so a look is enough.
fn next_cursor(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.rsplit_once(r#""nextCursor":""#)?;
    Some(rest.split_once('"')?.0.to_owned())
}

pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let server = Server::from_env()?;
    let machine = machine::describe(&server.admin).await?;
    let meter = Meter::new(server.admin.clone()).await?;
    let size = if options.quick {
        Size { accounts: 1_000, entries: 50_000 }
    } else {
        Size { accounts: 100_000, entries: 4_000_000 }
    };
    let history = history::fill(&server, DATABASE, size).await?;
    let service = Readers::start(&server, DATABASE, history).await?;
    let mut table =
        Table::new(&["read", "1 caller: p50 ms", "p99 ms", "16 callers: a second", "p50 ms", "p99 ms"]);
    for read in Read::ALL {
        for merchant in [false, true] {
            let whose = if merchant { "the merchant's" } else { "anybody's" };
            let name = format!("{}, {whose}", read.name());
            if (read == Read::Wallets && merchant) || !options.wants(&name) {
                continue;
            }
            let alone = service.measure(options, &meter, read, merchant, 1).await?;
            let many = service.measure(options, &meter, read, merchant, MANY).await?;
            println!("{name}: {} ms", milliseconds(alone.latencies.p50()));
            table.push(vec![
                name,
                milliseconds(alone.latencies.p50()),
                milliseconds(alone.latencies.p99()),
                whole(many.rate()),
                milliseconds(many.latencies.p50()),
                milliseconds(many.latencies.p99()),
            ]);
        }
    }
    service.end().await?;
    server.drop(DATABASE).await?;
    let (accounts, entries) = (whole(size.accounts as f64), whole(size.entries as f64));
    let about = format!(
        "{accounts} wallets and {entries} entries of two years; every tenth payment went to one merchant, who has \
         {} entries. Over HTTP, from wallet-service itself, with a token; pages have 20 entries, and each call is the \
         page after the one before.",
        whole(size.entries as f64 / 20.0),
    );
    report::publish(options, "reads", &format!("{machine}\n\n{about}\n\n{table}"))
}
