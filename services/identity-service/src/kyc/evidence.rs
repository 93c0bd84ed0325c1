//! The kinds of evidence, what of it is compared with a record, and what was found.

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

    /// What a provider holds against its record.
    fn compared(self) -> &'static [Attribute] {
        match self {
            Self::Bvn | Self::Nin => &[Attribute::FirstName, Attribute::LastName, Attribute::DateOfBirth],
            Self::AddressDocument => &[Attribute::FirstName, Attribute::LastName, Attribute::Address],
            Self::Selfie => &[],
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

/// Something of a person that a record has, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = KycAttribute)]
pub(crate) enum Attribute {
    FirstName,
    LastName,
    DateOfBirth,
    Address,
    /// What the provider calls by a name that is not known here.
    Other,
}

impl Attribute {
    const ALL: [Self; 5] = [Self::FirstName, Self::LastName, Self::DateOfBirth, Self::Address, Self::Other];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::FirstName => "first_name",
            Self::LastName => "last_name",
            Self::DateOfBirth => "date_of_birth",
            Self::Address => "address",
            Self::Other => "other",
        }
    }
}

impl FromStr for Attribute {
    type Err = Unknown;

    fn from_str(name: &str) -> Result<Self, Unknown> {
        Self::ALL.into_iter().find(|one| one.name() == name).ok_or_else(|| Unknown(name.to_owned()))
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

/// What is kept of a provider's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LookedUp {
    pub(crate) checked: Checked,
    /// What is otherwise in the record; nothing where the provider does not say.
    pub(crate) mismatched: Vec<Attribute>,
}

impl LookedUp {
    /// What was compared and fits, as far as that can be told: of what fits in part, only where the other part is known.
    pub(crate) fn matched(&self, kind: EvidenceKind) -> Vec<Attribute> {
        let told = match self.checked.finding {
            Finding::Match => true,
            Finding::Partial | Finding::Mismatch => !self.mismatched.is_empty(),
            Finding::NotFound => false,
        };
        let fits = |one: &Attribute| told && !self.mismatched.contains(one);
        kind.compared().iter().copied().filter(fits).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_the_rest_of_what_does_not() {
        let matched = |finding, mismatched: &[Attribute]| {
            let checked = Checked { finding, name_score: None };
            LookedUp { checked, mismatched: mismatched.to_vec() }.matched(EvidenceKind::Bvn)
        };
        let names = vec![Attribute::FirstName, Attribute::LastName];
        assert_eq!(matched(Finding::Partial, &[Attribute::DateOfBirth]), names);
        assert_eq!(matched(Finding::Match, &[]).len(), 3);
        assert!(matched(Finding::Partial, &[]).is_empty(), "which part it is was not told");
        assert!(matched(Finding::NotFound, &[Attribute::Other]).is_empty());
    }

    #[test]
    fn names_of_attributes_are_read_back() {
        assert!(Attribute::ALL.iter().all(|one| one.name().parse::<Attribute>().unwrap() == *one));
        assert!("passport".parse::<Attribute>().is_err());
    }
}
