//! The port to whoever can look up identity numbers and look at documents.

use std::fmt::{self, Debug};

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::{
    claims::{Address, Nin},
    documents::content::ContentType,
    entity::{Bvn, DateOfBirth},
    evidence::{Attribute, Checked, EvidenceKind, Finding, LookedUp},
    names,
};
use crate::users::PersonName;

/// What a person claims, to be held against the bank's record.
#[derive(Debug, Clone)]
pub(crate) struct BvnClaim {
    pub(crate) bvn: Bvn,
    pub(crate) date_of_birth: DateOfBirth,
    pub(crate) first_name: PersonName,
    pub(crate) last_name: PersonName,
}

/// To be held against the national register.
#[derive(Debug, Clone)]
pub(crate) struct NinClaim {
    pub(crate) nin: Nin,
    pub(crate) date_of_birth: DateOfBirth,
    pub(crate) first_name: PersonName,
    pub(crate) last_name: PersonName,
}

/// A document or selfie, and whose it should be.
pub(crate) struct DocumentClaim {
    pub(crate) kind: EvidenceKind,
    pub(crate) content_type: ContentType,
    pub(crate) content: Zeroizing<Vec<u8>>,
    pub(crate) first_name: PersonName,
    pub(crate) last_name: PersonName,
    pub(crate) address: Option<Address>,
}

impl Debug for DocumentClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DocumentClaim").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// What the provider says, with what is otherwise in its record, and the name that it has, if it tells them.
pub(crate) struct Report {
    pub(crate) finding: Finding,
    pub(crate) mismatched: Vec<Attribute>,
    pub(crate) registered_name: Option<Zeroizing<String>>,
}

impl Report {
    /// With how alike the names are; the one on record is not kept.
    pub(crate) fn held_against(self, name: &str) -> LookedUp {
        let name_score = self.registered_name.map(|registered| names::claimed(name, &registered));
        LookedUp { checked: Checked { finding: self.finding, name_score }, mismatched: self.mismatched }
    }
}

impl Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report").field("finding", &self.finding).finish_non_exhaustive()
    }
}

/// No finding: down, too slow, or an answer that cannot be read. Asking again is safe.
#[derive(Debug, thiserror::Error)]
#[error("the KYC provider gave no finding: {0:#}")]
pub(crate) struct NoFinding(#[from] pub(crate) anyhow::Error);

#[async_trait]
pub(crate) trait KycProvider: Debug + Send + Sync {
    /// The name under which a verification is recorded.
    fn name(&self) -> &'static str;

    async fn verify_bvn(&self, claim: &BvnClaim) -> Result<Report, NoFinding>;

    async fn verify_nin(&self, claim: &NinClaim) -> Result<Report, NoFinding>;

    async fn verify_document(&self, claim: &DocumentClaim) -> Result<Report, NoFinding>;
}
