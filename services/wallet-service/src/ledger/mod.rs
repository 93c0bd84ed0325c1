//! The ledger: double entry, append-only, exact.

mod error;
pub(crate) mod metrics;
mod posting;

use common_db::PgPool;
use common_utils::clock::SharedClock;

pub use error::LedgerError;
pub use posting::{
    AccountRef, Leg, MAX_LEGS, Origin, Outcome, PlatformAccount, Posting, PostingResult, PostingType,
    Refusal, RefusalCode, UnknownPlatformAccount,
};

/// Writes postings.
#[derive(Debug)]
pub struct Ledger {
    pool: PgPool,
    clock: SharedClock,
}

impl Ledger {
    pub fn new(pool: PgPool, clock: SharedClock) -> Self {
        Self { pool, clock }
    }
}
