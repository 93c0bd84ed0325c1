//! Is every balance what its entries say? Recomputed from nothing but the entries, on one snapshot, beside live
//! traffic, with one statement a check:
//!
//! 1. every account has a balance, equal to the sum of its entries, and counts them;
//! 2. entries are numbered 1, 2, 3, … per account, each with the balance that the one before it left plus its own;
//! 3. their times never go back;
//! 4. every balance is within its bounds and has its account's status, a closed one is empty;
//! 5. what is held equals the open holds (one that is overdue is open until somebody comes by);
//! 6. every hold was placed by a posting, and has captured what its captures took;
//! 7. a posted posting has entries unless it is a hold or a release, a refused one has none; no entry lacks its posting;
//! 8. of every posting that was taken back as much is noted as went back, and it was reversed once or refunded;
//! 9. every posting's debits equal its credits in each currency;
//! 10. all accounts of a currency together are zero.

use std::fmt;

use common_db::PgPool;
use sqlx::PgConnection;

use super::{AccountId, LedgerError, repo};

/// Of each check, this many differences are told.
pub(super) const FIRST: i64 = 20;

/// What one check compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    Balances,
    Chain,
    Times,
    Bounds,
    Holds,
    Captures,
    Outcomes,
    Returns,
    Postings,
    Currencies,
}

impl Check {
    pub const ALL: [Self; 10] = [
        Self::Balances,
        Self::Chain,
        Self::Times,
        Self::Bounds,
        Self::Holds,
        Self::Captures,
        Self::Outcomes,
        Self::Returns,
        Self::Postings,
        Self::Currencies,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Balances => "balances equal the sum and the count of their entries",
            Self::Chain => "entries are numbered without gaps, each with the balance after it",
            Self::Times => "times of entries never go back",
            Self::Bounds => "balances are within their bounds, and as their accounts",
            Self::Holds => "what is held equals the open holds",
            Self::Captures => "holds have captured what their captures took",
            Self::Outcomes => "postings have entries exactly when they moved money",
            Self::Returns => "no more went back than was taken, and all of it is noted",
            Self::Postings => "every posting's debits equal its credits",
            Self::Currencies => "each currency sums to zero",
        }
    }
}

/// Something that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub check: Check,
    /// Which account, posting or currency.
    pub subject: String,
    pub detail: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.detail)
    }
}

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    pub accounts: i64,
    pub postings: i64,
    pub entries: i64,
    pub holds: i64,
}

#[derive(Debug, Clone)]
pub struct Report {
    pub counted: Counted,
    pub differences: Vec<Difference>,
}

impl Report {
    pub fn is_clean(&self) -> bool {
        self.differences.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counted { accounts, postings, entries, holds } = self.counted;
        writeln!(f, "{accounts} accounts, {postings} postings, {entries} entries, {holds} holds")?;
        for check in Check::ALL {
            let found: Vec<_> = self.differences.iter().filter(|found| found.check == check).collect();
            writeln!(f, "{}  {}", if found.is_empty() { "ok   " } else { "WRONG" }, check.name())?;
            for difference in found {
                writeln!(f, "       {difference}")?;
            }
        }
        write!(f, "{}", if self.is_clean() { "the ledger is exact" } else { "the ledger is NOT exact" })
    }
}

/// Runs every check; with an account, those of it and of the postings that touch it.
pub async fn verify(pool: &PgPool, account: Option<AccountId>) -> Result<Report, LedgerError> {
    verify_on(&mut *pool.acquire().await?, account).await
}

/// The same on a connection of the caller's.
pub(super) async fn verify_on(
    connection: &mut PgConnection,
    account: Option<AccountId>,
) -> Result<Report, LedgerError> {
    let mut op = repo::begin_snapshot(connection).await?;
    let counted = repo::counted_in_op(&mut op, account).await?;
    let mut differences = Vec::new();
    for check in Check::ALL {
        differences.extend(repo::differences_in_op(&mut op, check, account).await?);
    }
    op.rollback().await?;
    Ok(Report { counted, differences })
}
