//! What a person's tier allows in one country: the largest deposit, the largest balance, and what may leave in a day.
//!
//! One file, compiled in; `LIMITS_FILE` takes its place, and one that makes no sense stops the start. With `TIER_LIMITS=off`
//! nothing is limited. The figures are told by identity-service and held by the services that move money.
//!
//! - Amounts are minor units of the one currency of the file. Other currencies have no figures.
//! - A tier never allows less than the one below it.
//! - A tier that the file does not know is worth tier 0: a newer release may grant what this one knows nothing of.

mod file;

use chrono::{DateTime, FixedOffset, NaiveTime, TimeDelta, Utc};
use common_utils::{
    config::{ConfigError, Env},
    money::Currency,
};

/// The tier above which there is none.
pub const HIGHEST_TIER: i16 = 3;
/// From nobody verified to the highest.
const TIERS: usize = 4;

/// What one tier allows, in minor units. None: no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TierLimits {
    pub single_deposit: Option<i64>,
    pub max_balance: Option<i64>,
    /// To other people, between two midnights of the country.
    pub daily_outflow: Option<i64>,
}

/// What a device may move soon after it was bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct NewDevice {
    lasts: TimeDelta,
    outflow: i64,
}

/// The limits of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    country: String,
    currency: Currency,
    offset: FixedOffset,
    new_device: Option<NewDevice>,
    tiers: [TierLimits; TIERS],
    enforced: bool,
}

impl Limits {
    /// `LIMITS_FILE`, or what is compiled in; `TIER_LIMITS`, `on` unless it is `off`.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let limits = match env.get("LIMITS_FILE") {
            Some(path) => file::read(path.as_ref()),
            None => file::compiled_in(),
        };
        let limits = limits.map_err(|error| ConfigError::new(format!("LIMITS_FILE: {error:#}")))?;
        match env.text("TIER_LIMITS", "on").as_str() {
            "on" => Ok(limits),
            "off" => {
                tracing::warn!("TIER_LIMITS=off: nobody's tier limits what they hold or move");
                Ok(limits.lifted())
            }
            _ => Err(ConfigError::new("TIER_LIMITS must be on or off")),
        }
    }

    /// The same country, without a limit.
    fn lifted(self) -> Self {
        Self { new_device: None, tiers: [TierLimits::default(); TIERS], enforced: false, ..self }
    }

    /// ISO 3166, two letters.
    pub fn country(&self) -> &str {
        &self.country
    }

    /// What the figures are in. Nothing else is limited.
    pub fn currency(&self) -> Currency {
        self.currency
    }

    /// Whether anything is limited at all.
    pub fn are_enforced(&self) -> bool {
        self.enforced
    }

    pub fn of(&self, tier: i16) -> TierLimits {
        usize::try_from(tier).ok().and_then(|tier| self.tiers.get(tier)).copied().unwrap_or(self.tiers[0])
    }

    /// The last midnight in the country.
    pub fn day_begins(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        let since_midnight = at.with_timezone(&self.offset).time() - NaiveTime::MIN;
        at - since_midnight
    }

    /// What a device may move while it is new.
    pub fn new_device_outflow(&self) -> Option<i64> {
        self.new_device.map(|new| new.outflow)
    }

    /// Whether a device that was bound then is limited as a new one. One that is bound in time to come is: the clock of who bound
    /// it is ahead.
    pub fn is_new_device(&self, bound_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        self.new_devices_since(now).is_some_and(|since| bound_at > since)
    }

    /// What was bound after this is limited as a new device.
    pub fn new_devices_since(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.new_device.map(|new| now - new.lasts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(values: &[(&str, &str)]) -> Env {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Env::from_values("wallet", values.collect())
    }

    fn limits(values: &[(&str, &str)]) -> Result<Limits, ConfigError> {
        Limits::from_env(&env(values))
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn nigeria_is_as_the_central_bank_has_it() {
        let limits = limits(&[]).unwrap();
        assert_eq!((limits.country(), limits.currency()), ("NG", Currency::NGN));
        let figures = |tier| {
            let TierLimits { single_deposit, max_balance, daily_outflow } = limits.of(tier);
            [single_deposit, max_balance, daily_outflow]
        };
        assert_eq!(figures(1), [Some(5_000_000), Some(30_000_000), Some(5_000_000)]);
        assert_eq!(figures(2), [Some(10_000_000), Some(50_000_000), Some(20_000_000)]);
        assert_eq!(figures(3), [None, None, Some(500_000_000)]);
        for unverified in [0, -1, HIGHEST_TIER + 1, i16::MAX] {
            assert_eq!(figures(unverified), figures(1), "{unverified}");
        }
    }

    #[test]
    fn a_day_begins_at_midnight_in_the_country() {
        let limits = limits(&[]).unwrap();
        let midnight = |text| limits.day_begins(at(text));
        assert_eq!(midnight("2026-03-01T22:59:59.999Z"), at("2026-02-28T23:00:00Z"));
        for same_day in ["2026-03-01T23:00:00Z", "2026-03-02T00:00:00.5Z", "2026-03-02T22:59:59Z"] {
            assert_eq!(midnight(same_day), at("2026-03-01T23:00:00Z"), "{same_day}");
        }
    }

    #[test]
    fn a_device_is_new_for_a_day() {
        let limits = limits(&[]).unwrap();
        let bound = at("2026-03-01T12:00:00Z");
        let after = |seconds| limits.is_new_device(bound, bound + TimeDelta::seconds(seconds));
        assert!(after(-5) && after(0) && after(86_399) && !after(86_400));
        assert_eq!(limits.new_device_outflow(), Some(2_000_000));
    }

    #[test]
    fn a_file_takes_the_place_of_what_is_compiled_in() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("limits.toml");
        let path = path.to_str().unwrap();
        std::fs::write(path, file::NIGERIA.replace("= 500_000_000", "= 600_000_000")).unwrap();
        let named = |path| limits(&[("LIMITS_FILE", path)]);
        assert_eq!(named(path).unwrap().of(3).daily_outflow, Some(600_000_000));
        std::fs::write(path, file::NIGERIA.replace("tier = 3", "tier = 4")).unwrap();
        let error = named(path).unwrap_err().to_string();
        assert!(error.contains("LIMITS_FILE") && error.contains(path), "{error}");
        assert!(named("/nowhere/limits.toml").is_err());
    }

    #[test]
    fn limits_can_be_turned_off() {
        let off = limits(&[("TIER_LIMITS", "off")]).unwrap();
        assert_eq!((off.of(0), off.are_enforced()), (TierLimits::default(), false));
        let now = at("2026-03-01T12:00:00Z");
        assert!(off.new_device_outflow().is_none() && !off.is_new_device(now, now));
        assert!(limits(&[("TIER_LIMITS", "no")]).is_err());
    }
}
