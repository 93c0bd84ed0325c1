//! Databases of the benchmark's own, on the server that `DB_HOST` names.

use std::time::Duration;

use anyhow::Context;
use common_db::{DbConfig, PgPool, migrate, pool};
use common_utils::{
    clock::SystemClock,
    config::Env,
    ids::{TransactionId, UserId, WalletId},
    money::{Currency, Money},
};
use sqlx::{AssertSqlSafe, Executor};
use wallet_service::ledger::{AccountRef, Ledger, Leg, PlatformAccount, Posting, PostingType, verify};

/// What every wallet begins with: more than any load spends.
const FUNDS: i64 = 1_000_000_000;
/// Postings of one call.
const LIST: usize = 500;

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) admin: PgPool,
    config: DbConfig,
}

impl Server {
    pub(crate) fn from_env() -> anyhow::Result<Self> {
        let mut config = DbConfig::from_env(&Env::of_process("bench"), "postgres")?;
        // Filling and verifying take as long as they take.
        config.statement_timeout = Duration::ZERO;
        Ok(Self { admin: pool::connect("bench", &config), config })
    }

    pub(crate) fn config(&self, name: &str) -> DbConfig {
        DbConfig { name: name.to_owned(), ..self.config.clone() }
    }

    pub(crate) fn pool(&self, name: &str, connections: u32) -> PgPool {
        pool::connect("bench", &DbConfig { max_connections: connections, ..self.config(name) })
    }

    pub(crate) async fn exists(&self, name: &str) -> sqlx::Result<bool> {
        let found = sqlx::query("SELECT 1 FROM pg_database WHERE datname = $1").bind(name);
        Ok(found.fetch_optional(&self.admin).await?.is_some())
    }

    /// A copy, file by file: what was in it is in it, and the server has written all of it before the copy is there.
    pub(crate) async fn copy(&self, template: &str, name: &str) -> anyhow::Result<()> {
        self.drop(name).await?;
        self.execute(format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")).await
    }

    pub(crate) async fn drop(&self, name: &str) -> anyhow::Result<()> {
        self.execute(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await
    }

    pub(crate) async fn rename(&self, from: &str, to: &str) -> anyhow::Result<()> {
        self.execute(format!("ALTER DATABASE {from} RENAME TO {to}")).await
    }

    /// Statements about databases take no parameters; the names are this program's own.
    async fn execute(&self, statement: String) -> anyhow::Result<()> {
        let text = statement.clone();
        self.admin.execute(AssertSqlSafe(statement)).await.context(text)?;
        Ok(())
    }

    /// A ledger with funded wallets, to be copied.
    pub(crate) async fn make_ledger(&self, name: &str, wallets: usize) -> anyhow::Result<Vec<Wallet>> {
        self.drop(name).await?;
        migrate::run(&self.config(name), &wallet_service::migrations(), migrate::Mode::Apply).await?;
        let pool = self.pool(name, 4);
        let wallets = fill(&pool, wallets).await?;
        pool.close().await;
        Ok(wallets)
    }
}

/// A wallet and whose it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wallet {
    pub(crate) id: WalletId,
    pub(crate) owner: UserId,
}

/// Opens wallets and funds them, and tells the planner of them.
pub(crate) async fn fill(pool: &PgPool, count: usize) -> anyhow::Result<Vec<Wallet>> {
    let wallets: Vec<Wallet> =
        (0..count).map(|_| Wallet { id: WalletId::new(), owner: UserId::new() }).collect();
    open(pool, &wallets).await?;
    fund(pool, &wallets).await?;
    pool.execute("VACUUM (ANALYZE)").await?;
    Ok(wallets)
}

async fn open(pool: &PgPool, wallets: &[Wallet]) -> anyhow::Result<()> {
    let ids: Vec<_> = wallets.iter().map(|wallet| wallet.id.uuid()).collect();
    let owners: Vec<_> = wallets.iter().map(|wallet| wallet.owner.uuid()).collect();
    let mut op = common_db::begin(pool).await?;
    for statement in [
        "INSERT INTO accounts (id, kind, currency, created_at)
         SELECT id, 'customer', 'NGN', now() FROM UNNEST($1::uuid[], $2::uuid[]) AS new (id, owner)",
        "INSERT INTO balances (account_id, currency, may_overdraw, updated_at)
         SELECT id, 'NGN', false, now() FROM UNNEST($1::uuid[], $2::uuid[]) AS new (id, owner)",
        "INSERT INTO wallets (id, user_id, currency, place, created_at)
         SELECT id, owner, 'NGN', 0, now() FROM UNNEST($1::uuid[], $2::uuid[]) AS new (id, owner)",
    ] {
        sqlx::query(statement).bind(&ids).bind(&owners).execute(&mut *op).await?;
    }
    op.commit().await?;
    Ok(())
}

async fn fund(pool: &PgPool, wallets: &[Wallet]) -> anyhow::Result<()> {
    let ledger = Ledger::start(pool.clone(), SystemClock::shared());
    for some in wallets.chunks(LIST) {
        let postings = some.iter().map(|wallet| {
            posting(AccountRef::Platform(PlatformAccount::Equity), AccountRef::Wallet(wallet.id), FUNDS)
        });
        post(&ledger, postings.collect::<Result<_, _>>()?).await?;
    }
    Ok(())
}

pub(crate) fn posting(debit: AccountRef, credit: AccountRef, amount: i64) -> anyhow::Result<Posting> {
    let leg = Leg { debit, credit, amount: Money::new(amount, Currency::NGN) };
    Posting::new(TransactionId::new(), PostingType::Transfer, "Lunch", vec![leg])
        .map_err(|errors| anyhow::anyhow!("no such posting: {errors:?}"))
}

/// Posts them all, or ends the benchmark: a refusal costs less than a posting.
pub(crate) async fn post(ledger: &Ledger, postings: Vec<Posting>) -> anyhow::Result<u32> {
    let count = u32::try_from(postings.len())?;
    let results = ledger.post(postings).await?;
    let refused = results.iter().find(|result| result.outcome.refusal().is_some() || result.replayed);
    anyhow::ensure!(refused.is_none(), "not posted: {refused:?}");
    Ok(count)
}

/// Fails when the books are not exact, or do not hold as many postings as were made.
pub(crate) async fn verify(pool: &PgPool, postings: u64) -> anyhow::Result<()> {
    let report = verify::verify(pool, None).await?;
    anyhow::ensure!(report.is_clean(), "{report}");
    let counted = report.counted.postings;
    anyhow::ensure!(
        u64::try_from(counted)? == postings,
        "{postings} postings were answered, and the books hold {counted}"
    );
    Ok(())
}
