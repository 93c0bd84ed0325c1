//! The port to whoever can look up a bank verification number.

use std::fmt::Debug;

use async_trait::async_trait;

use super::entity::{Bvn, DateOfBirth};
use crate::users::PersonName;

/// What a person claims, to be held against the bank's record.
#[derive(Debug, Clone)]
pub(crate) struct BvnClaim {
    pub(crate) bvn: Bvn,
    pub(crate) date_of_birth: DateOfBirth,
    pub(crate) first_name: PersonName,
    pub(crate) last_name: PersonName,
}

/// What the provider found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BvnFinding {
    Match,
    /// There is such a number, and it is somebody else's.
    Mismatch,
    NotFound,
}

/// No finding: down, too slow, or an answer that cannot be read. Asking again is safe.
#[derive(Debug, thiserror::Error)]
#[error("the KYC provider gave no finding: {0:#}")]
pub(crate) struct NoFinding(#[from] pub(crate) anyhow::Error);

#[async_trait]
pub(crate) trait KycProvider: Debug + Send + Sync {
    /// The name under which a verification is recorded.
    fn name(&self) -> &'static str;

    async fn verify_bvn(&self, claim: &BvnClaim) -> Result<BvnFinding, NoFinding>;
}
