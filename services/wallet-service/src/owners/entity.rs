//! The rules of tiers: what each lets a wallet hold and take in, and which of several events about a person counts.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use common_limits::{HIGHEST_TIER, Limits, TierLimits};
use common_utils::{
    ids::{UserId, WalletId},
    money::{Currency, Money},
};
use uuid::Uuid;

/// Of whom identity-service has told nothing yet.
pub(super) const TIER_UNKNOWN: i16 = 0;

/// What an event tells of somebody's tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) user: UserId,
    pub(super) tier: i16,
    /// When, and the event, which decides between two of one moment: later ones have higher ids.
    pub(super) version: (DateTime<Utc>, Uuid),
}

/// A wallet as its ceiling is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Governed {
    pub(super) id: WalletId,
    pub(super) user: UserId,
    pub(super) currency: Currency,
    pub(super) tier: i16,
    pub(super) intake_ceiling: Option<i64>,
}

/// Of each person what was told last, by user.
pub(super) fn newest(told: Vec<Told>) -> Vec<Told> {
    let mut of_user: BTreeMap<UserId, Told> = BTreeMap::new();
    for told in told {
        let known = of_user.entry(told.user).or_insert_with(|| told.clone());
        if known.version < told.version {
            *known = told;
        }
    }
    of_user.into_values().collect()
}

/// How much may be in a wallet by what comes in. None: as much as there is.
pub(super) fn intake_ceiling(limits: &Limits, tier: i16, currency: Currency) -> Option<i64> {
    figures(limits, tier, currency).max_balance
}

/// Whether a deposit is more than this tier may take in at once; None for a tier that nobody has told.
pub fn is_above_single_deposit(limits: &Limits, tier: Option<i16>, amount: Money) -> bool {
    let figures = figures(limits, tier.unwrap_or(TIER_UNKNOWN), amount.currency);
    figures.single_deposit.is_some_and(|most| amount.amount > most)
}

/// The largest single deposits, as SQL takes them.
#[derive(Debug)]
pub(crate) struct SingleDeposits {
    pub(crate) currency: Currency,
    /// From tier 0 on. None: no limit.
    pub(crate) of_tiers: Vec<Option<i64>>,
}

pub(crate) fn single_deposits(limits: &Limits) -> SingleDeposits {
    let of_tiers = (0..=HIGHEST_TIER).map(|tier| limits.of(tier).single_deposit).collect();
    SingleDeposits { currency: limits.currency(), of_tiers }
}

/// Other currencies than that of the figures have none.
fn figures(limits: &Limits, tier: i16, currency: Currency) -> TierLimits {
    if currency == limits.currency() { limits.of(tier) } else { TierLimits::default() }
}

#[cfg(test)]
mod tests {
    use common_utils::config::Env;

    use super::*;
    use crate::SERVICE;

    fn limits(switch: &str) -> Limits {
        let values = [("TIER_LIMITS".to_owned(), switch.to_owned())];
        Limits::from_env(&Env::from_values(SERVICE, values.into())).unwrap()
    }

    fn told(user: UserId, tier: i16, second: i64, id: u128) -> Told {
        let at = DateTime::from_timestamp(second, 0).unwrap();
        Told { user, tier, version: (at, Uuid::from_u128(id)) }
    }

    #[test]
    fn a_tier_bounds_wallets_in_the_currency_of_the_figures() {
        let limits = limits("on");
        let of = |tier| intake_ceiling(&limits, tier, Currency::NGN);
        assert_eq!(
            [of(0), of(1), of(2), of(3)],
            [Some(30_000_000), Some(30_000_000), Some(50_000_000), None]
        );
        assert_eq!(intake_ceiling(&limits, 0, Currency::USD), None);
    }

    #[test]
    fn a_deposit_of_just_the_figure_is_not_above_it() {
        let limits = limits("on");
        let above = |tier, amount| is_above_single_deposit(&limits, tier, Money::new(amount, Currency::NGN));
        for (tier, most) in
            [(None, 5_000_000), (Some(0), 5_000_000), (Some(1), 5_000_000), (Some(2), 10_000_000)]
        {
            assert!(!above(tier, most) && above(tier, most + 1), "{tier:?}");
        }
        assert!(!above(Some(3), i64::MAX));
        assert!(!is_above_single_deposit(&limits, None, Money::new(i64::MAX, Currency::USD)));
    }

    #[test]
    fn limits_that_are_off_bound_nothing() {
        let limits = limits("off");
        assert_eq!(intake_ceiling(&limits, 0, Currency::NGN), None);
        assert!(!is_above_single_deposit(&limits, None, Money::new(i64::MAX, Currency::NGN)));
    }

    #[test]
    fn what_was_told_last_counts_in_whatever_order_it_comes() {
        let (ada, bola) = (UserId::new(), UserId::new());
        let list = [told(ada, 1, 10, 1), told(bola, 3, 5, 9), told(ada, 2, 20, 3), told(ada, 0, 20, 2)];
        for turn in 0..list.len() {
            let mut list = list.to_vec();
            list.rotate_left(turn);
            list.extend(list.clone());
            let mut kept: Vec<_> = newest(list).into_iter().map(|told| (told.user, told.tier)).collect();
            kept.sort_by_key(|(user, _)| *user != ada);
            assert_eq!(kept, [(ada, 2), (bola, 3)]);
        }
    }
}
