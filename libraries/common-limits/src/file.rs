//! The file of limits, and what a file has to be like to be believed.

use std::path::Path;

use anyhow::{Context, ensure};
use chrono::{FixedOffset, TimeDelta};
use common_utils::money::Currency;
use serde::Deserialize;

use crate::{HIGHEST_TIER, Limits, NewDevice, TierLimits};

pub(crate) const NIGERIA: &str = include_str!("../data/NG.toml");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    country: String,
    currency: Currency,
    utc_offset_minutes: i32,
    /// None: a new device is as good as an old one.
    new_device: Option<NewDeviceEntry>,
    tiers: Vec<TierEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewDeviceEntry {
    hours: u16,
    outflow: i64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TierEntry {
    tier: i16,
    single_deposit: Option<i64>,
    max_balance: Option<i64>,
    daily_outflow: Option<i64>,
}

pub(crate) fn compiled_in() -> anyhow::Result<Limits> {
    parse(NIGERIA)
}

pub(crate) fn read(path: &Path) -> anyhow::Result<Limits> {
    let read = || parse(&std::fs::read_to_string(path)?);
    read().with_context(|| path.display().to_string())
}

fn parse(text: &str) -> anyhow::Result<Limits> {
    let file: File = toml::from_str(text)?;
    let letters = file.country.len() == 2 && file.country.bytes().all(|byte| byte.is_ascii_uppercase());
    ensure!(letters, "country must be two capital letters");
    let seconds = file.utc_offset_minutes.checked_mul(60);
    Ok(Limits {
        offset: seconds
            .and_then(FixedOffset::east_opt)
            .context("utc_offset_minutes must be less than a day")?,
        new_device: file.new_device.map(NewDeviceEntry::checked).transpose()?,
        tiers: tiers(&file.tiers)?,
        country: file.country,
        currency: file.currency,
        enforced: true,
    })
}

impl NewDeviceEntry {
    fn checked(self) -> anyhow::Result<NewDevice> {
        ensure!(self.hours > 0 && self.outflow > 0, "new_device: both figures must be above 0");
        Ok(NewDevice { lasts: TimeDelta::hours(self.hours.into()), outflow: self.outflow })
    }
}

impl TierEntry {
    fn limits(&self) -> TierLimits {
        let Self { single_deposit, max_balance, daily_outflow, .. } = *self;
        TierLimits { single_deposit, max_balance, daily_outflow }
    }
}

fn figures(limits: &TierLimits) -> [(&'static str, Option<i64>); 3] {
    let TierLimits { single_deposit, max_balance, daily_outflow } = *limits;
    [("single_deposit", single_deposit), ("max_balance", max_balance), ("daily_outflow", daily_outflow)]
}

fn tiers<const N: usize>(entries: &[TierEntry]) -> anyhow::Result<[TierLimits; N]> {
    let all = || entries.iter().map(|entry| entry.tier).eq(0..=HIGHEST_TIER);
    ensure!(all(), "tiers must be 0 to {HIGHEST_TIER}, each once and in this order");
    let limits: Vec<TierLimits> = entries.iter().map(TierEntry::limits).collect();
    for (tier, limits) in limits.iter().enumerate() {
        for (name, figure) in figures(limits) {
            ensure!(figure.is_none_or(|figure| figure > 0), "tier {tier}: {name} must be above 0");
        }
    }
    for (lower, pair) in limits.windows(2).enumerate() {
        for ((name, below), (_, above)) in figures(&pair[0]).into_iter().zip(figures(&pair[1])) {
            let grows = above.is_none_or(|above| below.is_some_and(|below| below <= above));
            ensure!(grows, "tier {}: {name} must be no lower than that of tier {lower}", lower + 1);
        }
    }
    limits.try_into().map_err(|_| anyhow::anyhow!("tiers must be {N}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (right, wrong) in [
            ("country = \"NG\"", "country = \"Nigeria\""),
            ("currency = \"NGN\"", "currency = \"naira\""),
            ("utc_offset_minutes = 60", "utc_offset_minutes = 1440"),
            ("utc_offset_minutes = 60", "utc_offset_minutes = 2147483647"),
            ("hours = 24", "hours = 0"),
            ("outflow = 2_000_000", "outflow = 0"),
            ("tier = 0", "tier = 1"),
            ("tier = 3", "tier = 4"),
            ("[[tiers]]\ntier = 3", "[other]\ntier = 3"),
            ("daily_outflow = 500_000_000", "daily_outflow = -1"),
            ("daily_outflow = 500_000_000", "daily_outflow = 0"),
            ("daily_outflow = 500_000_000", "daily_outflows = 500_000_000"),
        ] {
            assert!(NIGERIA.contains(right), "{right}");
            assert!(parse(&NIGERIA.replacen(right, wrong, 1)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_higher_tier_allows_no_less() {
        for (right, wrong) in [
            ("daily_outflow = 500_000_000", "daily_outflow = 19_999_999"),
            ("single_deposit = 10_000_000\n", "single_deposit = 4_999_999\n"),
            // No limit below one.
            ("max_balance = 30_000_000\n", ""),
        ] {
            assert!(NIGERIA.contains(right), "{right}");
            let error = parse(&NIGERIA.replacen(right, wrong, 1)).unwrap_err().to_string();
            assert!(error.contains("no lower than"), "{error}");
        }
        let same = NIGERIA.replace("daily_outflow = 500_000_000", "daily_outflow = 20_000_000");
        assert!(parse(&same).is_ok());
    }

    #[test]
    fn a_country_may_leave_new_devices_alone() {
        let (before, after) = NIGERIA.split_once("[new_device]").unwrap();
        let tiers = &after[after.find("[[tiers]]").unwrap()..];
        assert_eq!(parse(&format!("{before}{tiers}")).unwrap().new_device, None);
    }
}
