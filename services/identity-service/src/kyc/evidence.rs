//! The kinds of evidence, and what was found of each.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EvidenceKind {
    /// Bank verification number.
    Bvn,
    /// National identification number.
    Nin,
    AddressDocument,
    Selfie,
}

#[derive(Debug, thiserror::Error)]
#[error("{0} is not known here")]
pub(crate) struct Unknown(String);

impl EvidenceKind {
    pub(crate) const ALL: [Self; 4] = [Self::Bvn, Self::Nin, Self::AddressDocument, Self::Selfie];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bvn => "bvn",
            Self::Nin => "nin",
            Self::AddressDocument => "address_document",
            Self::Selfie => "selfie",
        }
    }

    /// Told as a number when a case is opened, rather than uploaded.
    pub(crate) fn is_number(self) -> bool {
        matches!(self, Self::Bvn | Self::Nin)
    }
}

impl FromStr for EvidenceKind {
    type Err = Unknown;

    fn from_str(name: &str) -> Result<Self, Unknown> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| Unknown(name.to_owned()))
    }
}

impl fmt::Display for EvidenceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a provider says of a piece of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Finding {
    Match,
    /// Some of it fits. Never enough by itself.
    Partial,
    /// It is somebody else's, or not what it should be.
    Mismatch,
    /// There is no such number.
    NotFound,
}

impl Finding {
    pub(crate) const ALL: [Self; 4] = [Self::Match, Self::Partial, Self::Mismatch, Self::NotFound];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Partial => "partial",
            Self::Mismatch => "mismatch",
            Self::NotFound => "not_found",
        }
    }
}

impl FromStr for Finding {
    type Err = Unknown;

    fn from_str(name: &str) -> Result<Self, Unknown> {
        Self::ALL.into_iter().find(|finding| finding.name() == name).ok_or_else(|| Unknown(name.to_owned()))
    }
}

/// A finding, with how alike the names are where the provider told one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Checked {
    pub(crate) finding: Finding,
    pub(crate) name_score: Option<u8>,
}
