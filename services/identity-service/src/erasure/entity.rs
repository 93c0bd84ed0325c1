//! What is left of a person who had themselves erased, and for how long.

use chrono::{DateTime, TimeDelta, Utc};
use common_events::contracts::{ErasureSnapshot, UserErased};
use common_utils::ids::UserId;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::users::entity::NewUser;

/// How long evidence of a customer is kept after the relationship has ended, where nothing else is configured: five years, by the Money
/// Laundering (Prevention and Prohibition) Act 2022 of Nigeria, section 8. With both leap days that can be among them.
pub(crate) const RETENTION_DAYS: u64 = 5 * 365 + 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Erasure {
    pub(crate) user: UserId,
    pub(crate) erased_at: DateTime<Utc>,
    /// From then on nothing is left but the id.
    pub(crate) evidence_until: DateTime<Utc>,
}

impl Erasure {
    pub(crate) fn new(user: UserId, retention: TimeDelta, now: DateTime<Utc>) -> Self {
        Self { user, erased_at: now, evidence_until: now + retention }
    }
}

impl From<Erasure> for UserErased {
    fn from(erasure: Erasure) -> Self {
        Self(ErasureSnapshot {
            user_id: erasure.user.uuid(),
            erased_at: erasure.erased_at,
            evidence_until: erasure.evidence_until,
        })
    }
}

/// Who they were, as it is encrypted and kept.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Profile<'a> {
    email: &'a str,
    phone_number: &'a str,
    first_name: &'a str,
    last_name: &'a str,
}

pub(crate) fn profile(person: &NewUser) -> serde_json::Result<Zeroizing<Vec<u8>>> {
    serde_json::to_vec(&Profile {
        email: person.email.as_str(),
        phone_number: person.phone_number.as_str(),
        first_name: person.first_name.as_str(),
        last_name: person.last_name.as_str(),
    })
    .map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use chrono::Months;

    use super::*;

    #[test]
    fn five_years_are_over_whenever_they_begin() {
        for begin in ["2022-03-01T00:00:00Z", "2023-11-22T13:00:00Z", "2024-02-29T00:00:00Z"] {
            let begin: DateTime<Utc> = begin.parse().unwrap();
            let days = i64::try_from(RETENTION_DAYS).unwrap();
            let erasure = Erasure::new(UserId::new(), TimeDelta::days(days), begin);
            assert!(erasure.evidence_until >= begin + Months::new(60), "{begin}");
            assert!(erasure.evidence_until <= begin + Months::new(60) + TimeDelta::days(2), "{begin}");
        }
    }
}
