//! What a country demands for each tier: evidence, who decides, and for how long it holds. What a tier allows is in `common-limits`. One
//! file a country, compiled in; `KYC_POLICY_DIR` adds countries and replaces what is compiled in. A file that makes no sense stops the start.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, ensure};
use chrono::{DateTime, Months, TimeDelta, Utc};
use common_limits::HIGHEST_TIER;
use serde::Deserialize;

use super::evidence::EvidenceKind;

const COMPILED_IN: [&str; 1] = [include_str!("../../data/kyc/NG.toml")];

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Policy {
    /// ISO 3166, two letters.
    pub(crate) country: String,
    pub(crate) names: NameThresholds,
    pub(crate) cases: CaseTimes,
    /// From the lowest to the highest.
    pub(crate) tiers: Vec<TierPolicy>,
}

/// Scores of names, of 100.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NameThresholds {
    pub(crate) same: u8,
    pub(crate) possible: u8,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaseTimes {
    answer_days: u16,
}

impl CaseTimes {
    pub(crate) fn answer(self) -> TimeDelta {
        TimeDelta::days(self.answer_days.into())
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TierPolicy {
    pub(crate) tier: i16,
    /// Of each group one.
    pub(crate) requires: Vec<Vec<EvidenceKind>>,
    /// Taken and looked at, where it is there.
    #[serde(default)]
    pub(crate) optional: Vec<EvidenceKind>,
    #[serde(default)]
    pub(crate) always_review: bool,
    /// Reviewers, each another one.
    pub(crate) approvals: u8,
    pub(crate) validity: Option<Validity>,
}

/// For how long a tier holds, before it is verified anew.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Validity {
    months: u16,
    remind_days: u16,
    grace_days: u16,
}

/// When a tier that was verified is reminded of, ends, and is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ValidityDates {
    pub(crate) remind_at: DateTime<Utc>,
    pub(crate) valid_until: DateTime<Utc>,
    pub(crate) lapses_at: DateTime<Utc>,
}

impl Validity {
    pub(crate) fn from(self, verified_at: DateTime<Utc>) -> ValidityDates {
        let valid_until = verified_at + Months::new(self.months.into());
        ValidityDates {
            remind_at: valid_until - TimeDelta::days(self.remind_days.into()),
            valid_until,
            lapses_at: valid_until + TimeDelta::days(self.grace_days.into()),
        }
    }
}

impl TierPolicy {
    /// Everything that may belong to a case of this tier.
    pub(crate) fn takes(&self, kind: EvidenceKind) -> bool {
        self.requires.iter().flatten().chain(&self.optional).any(|taken| *taken == kind)
    }

    fn check(&self) -> anyhow::Result<()> {
        let tier = self.tier;
        ensure!(!self.requires.is_empty(), "tier {tier} requires nothing");
        ensure!(self.requires.iter().all(|group| !group.is_empty()), "tier {tier} has an empty group");
        ensure!((1..=9).contains(&self.approvals), "tier {tier}: approvals must be 1 to 9");
        if let Some(validity) = self.validity {
            let days = u32::from(validity.months) * 28;
            ensure!(validity.months > 0, "tier {tier}: validity.months must be above 0");
            ensure!(
                u32::from(validity.remind_days) < days,
                "tier {tier}: the reminder comes before the tier is verified"
            );
        }
        Ok(())
    }
}

impl Policy {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let policy: Self = toml::from_str(text)?;
        policy.check().with_context(|| format!("the policy of {}", policy.country))?;
        Ok(policy)
    }

    fn check(&self) -> anyhow::Result<()> {
        let letters = self.country.len() == 2 && self.country.bytes().all(|byte| byte.is_ascii_uppercase());
        ensure!(letters, "country must be two capital letters");
        ensure!(
            (1..=100).contains(&self.names.same) && self.names.possible <= self.names.same,
            "names: 0 ≤ possible ≤ same ≤ 100, and same above 0"
        );
        ensure!(self.cases.answer_days > 0, "cases.answer_days must be above 0");
        let in_order =
            self.tiers.iter().zip(1..).all(|(policy, tier)| policy.tier == tier && tier <= HIGHEST_TIER);
        ensure!(
            !self.tiers.is_empty() && in_order,
            "tiers must be 1, 2, … in this order, at most {HIGHEST_TIER}"
        );
        self.tiers.iter().try_for_each(TierPolicy::check)
    }

    pub(crate) fn tier(&self, tier: i16) -> Option<&TierPolicy> {
        self.tiers.iter().find(|policy| policy.tier == tier)
    }
}

/// The policies of all countries.
#[derive(Debug)]
pub(crate) struct Policies {
    countries: BTreeMap<String, Policy>,
    home: String,
}

impl Policies {
    /// `home` is the country of who names none.
    pub(crate) fn load(home: &str, directory: Option<&Path>) -> anyhow::Result<Self> {
        let mut countries = BTreeMap::new();
        for text in COMPILED_IN {
            let policy = Policy::parse(text)?;
            countries.insert(policy.country.clone(), policy);
        }
        if let Some(directory) = directory {
            for policy in read(directory).context("KYC_POLICY_DIR")? {
                countries.insert(policy.country.clone(), policy);
            }
        }
        ensure!(countries.contains_key(home), "KYC_COUNTRY is {home}, and there is no policy of it");
        Ok(Self { countries, home: home.to_owned() })
    }

    pub(crate) fn of(&self, country: &str) -> Option<&Policy> {
        self.countries.get(country)
    }

    pub(crate) fn home(&self) -> &Policy {
        // `load` has made sure that it is there.
        &self.countries[&self.home]
    }
}

fn read(directory: &Path) -> anyhow::Result<Vec<Policy>> {
    let mut policies = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let read = || Policy::parse(&std::fs::read_to_string(&path)?);
        let policy = read().with_context(|| path.display().to_string())?;
        let named = path.file_stem().is_some_and(|stem| stem == policy.country.as_str());
        ensure!(named, "{} is of {}, and must be named after it", path.display(), policy.country);
        policies.push(policy);
    }
    Ok(policies)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nigeria() -> Policy {
        Policy::parse(COMPILED_IN[0]).unwrap()
    }

    #[test]
    fn nigeria_is_as_the_central_bank_has_it() {
        let policies = Policies::load("NG", None).unwrap();
        let of = |tier| policies.home().tier(tier).unwrap();
        assert_eq!(of(1).requires, [vec![EvidenceKind::Bvn, EvidenceKind::Nin]]);
        assert_eq!(of(2).requires, [vec![EvidenceKind::Bvn], vec![EvidenceKind::Nin]]);
        assert!(of(3).takes(EvidenceKind::AddressDocument) && !of(2).takes(EvidenceKind::AddressDocument));
        assert_eq!((of(3).approvals, of(3).always_review, of(1).always_review), (2, true, false));
        assert!(of(1).validity.is_none(), "a bank verification number does not age");
    }

    #[test]
    fn dates_follow_the_calendar() {
        let verified = "2026-01-31T12:00:00Z".parse().unwrap();
        let dates = Validity { months: 13, remind_days: 28, grace_days: 1 }.from(verified);
        assert_eq!(dates.valid_until, "2027-02-28T12:00:00Z".parse::<DateTime<Utc>>().unwrap());
        assert_eq!(dates.remind_at, "2027-01-31T12:00:00Z".parse::<DateTime<Utc>>().unwrap());
        assert_eq!(dates.lapses_at, "2027-03-01T12:00:00Z".parse::<DateTime<Utc>>().unwrap());
    }

    #[test]
    fn a_directory_adds_and_replaces_countries() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: String| std::fs::write(directory.path().join(name), text).unwrap();
        let ghana = COMPILED_IN[0].replace("\"NG\"", "\"GH\"");
        write("GH.toml", ghana.clone());
        write("NG.toml", COMPILED_IN[0].replace("same = 88", "same = 95"));
        write("README.md", "not a policy".to_owned());
        let policies = Policies::load("GH", Some(directory.path())).unwrap();
        assert_eq!((policies.home().country.as_str(), policies.of("NG").unwrap().names.same), ("GH", 95));
        assert!(policies.of("KE").is_none());
        write("KE.toml", ghana);
        assert!(Policies::load("GH", Some(directory.path())).is_err(), "a file is named after its country");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (right, wrong) in [
            ("same = 88", "same = 101"),
            ("possible = 60", "possible = 90"),
            ("tier = 2", "tier = 3"),
            ("approvals = 2", "approvals = 0"),
            ("answer_days = 30", "answer_days = 0"),
            ("months = 24", "months = 0"),
            ("remind_days = 30", "remind_days = 2000"),
            ("[[\"bvn\", \"nin\"]]", "[[]]"),
            ("[[\"bvn\", \"nin\"]]", "[[\"passport\"]]"),
            ("always_review", "allways_review"),
        ] {
            assert!(COMPILED_IN[0].contains(right), "{right}");
            assert!(Policy::parse(&COMPILED_IN[0].replacen(right, wrong, 1)).is_err(), "{wrong}");
        }
        assert_eq!(nigeria().cases.answer(), TimeDelta::days(30));
        assert!(Policies::load("KE", None).is_err());
    }
}
