//! Shares of an amount: a fee, a tax, a discount. A rate is whole basis points; no float stands for it.

use std::{cmp::Ordering, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Money, MoneyError};

/// A share in hundredths of a percent, from nothing (0) to all of it (10,000): VAT of 7.5 % is 750.
///
/// It says which part of an amount something is, and a part is never more than the whole. So a rate with a digit too
/// many is refused where it is read, and a share always fits where its amount did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "i64", into = "u16")]
#[schema(value_type = u16, minimum = 0, maximum = 10_000, example = 750)]
pub struct BasisPoints(u16);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be whole basis points from 0 to 10000, such as 750 for 7.5 %")]
pub struct InvalidBasisPoints;

impl BasisPoints {
    pub const NONE: Self = Self(0);
    pub const ALL: Self = Self(10_000);

    pub fn new(points: impl Into<i64>) -> Result<Self, InvalidBasisPoints> {
        let points = u16::try_from(points.into()).map_err(|_| InvalidBasisPoints)?;
        if points > Self::ALL.0 { Err(InvalidBasisPoints) } else { Ok(Self(points)) }
    }

    pub fn points(self) -> u16 {
        self.0
    }
}

impl TryFrom<i64> for BasisPoints {
    type Error = InvalidBasisPoints;

    fn try_from(points: i64) -> Result<Self, Self::Error> {
        Self::new(points)
    }
}

impl From<BasisPoints> for u16 {
    fn from(share: BasisPoints) -> Self {
        share.0
    }
}

impl FromStr for BasisPoints {
    type Err = InvalidBasisPoints;

    /// Digits only: a sign, a point or `%` may mean another unit.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidBasisPoints);
        }
        text.parse::<i64>().map_err(|_| InvalidBasisPoints).and_then(Self::new)
    }
}

/// As it is read: `750`.
impl fmt::Display for BasisPoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which whole minor unit stands for what lies between two. An exact result is never changed. All four mirror at
/// zero: "up" is away from zero and "down" is towards it, for negative amounts too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// To the nearest; a half to the even neighbour: 0.5 to 0, 1.5 to 2, −1.5 to −2, −2.5 to −2. Over many amounts
    /// it favours neither side.
    HalfEven,
    /// To the nearest; a half away from zero: 0.5 to 1, 2.5 to 3, −0.5 to −1.
    HalfUp,
    /// Towards zero: 0.9 to 0, −0.9 to 0.
    Down,
    /// Away from zero: 0.1 to 1, −0.1 to −1.
    Up,
}

impl Rounding {
    /// Divides by a positive divisor.
    fn divide(self, dividend: i128, divisor: i128) -> i128 {
        let (cut, rest) = (dividend / divisor, dividend % divisor);
        // Compares what was cut off with a half.
        let to_half = (rest.abs() * 2).cmp(&divisor);
        let away = match self {
            Self::HalfEven => to_half == Ordering::Greater || (to_half == Ordering::Equal && cut % 2 != 0),
            Self::HalfUp => to_half != Ordering::Less,
            Self::Down => false,
            Self::Up => rest != 0,
        };
        if away { cut + dividend.signum() } else { cut }
    }
}

impl Money {
    /// This share of the amount, rounded once to whole minor units.
    ///
    /// What is left of the amount is found by subtraction. The two shares, each rounded by itself, may not sum to it;
    /// use [`Money::allocate`] for more parts.
    pub fn basis_points(self, share: BasisPoints, rounding: Rounding) -> Result<Self, MoneyError> {
        // At most 2^63 times 10,000, so it fits into 128 bits.
        let product = i128::from(self.amount) * i128::from(share.0);
        let amount = rounding.divide(product, i128::from(BasisPoints::ALL.0));
        i64::try_from(amount).map(|amount| Self::new(amount, self.currency)).map_err(|_| MoneyError::Overflow)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::money::{Currency, testing::amounts};

    const EVERY_ROUNDING: [Rounding; 4] =
        [Rounding::HalfEven, Rounding::HalfUp, Rounding::Down, Rounding::Up];

    fn share(amount: i64, points: u16, rounding: Rounding) -> i64 {
        let points = BasisPoints::new(points).unwrap();
        let share = Money::new(amount, Currency::NGN).basis_points(points, rounding).unwrap();
        assert_eq!(share.currency, Currency::NGN);
        share.amount
    }

    #[test]
    fn each_rounding_does_what_it_says() {
        // Each amount with its thousandth part, rounded half to even, half up, down and up.
        for (amount, expected) in [
            (0, [0, 0, 0, 0]),
            (100, [0, 0, 0, 1]),
            (500, [0, 1, 0, 1]),
            (900, [1, 1, 0, 1]),
            (1_000, [1, 1, 1, 1]),
            (1_400, [1, 1, 1, 2]),
            (1_500, [2, 2, 1, 2]),
            (1_600, [2, 2, 1, 2]),
            (2_500, [2, 3, 2, 3]),
        ] {
            assert_eq!(EVERY_ROUNDING.map(|rounding| share(amount, 10, rounding)), expected, "{amount}");
            let turned = expected.map(|units: i64| -units);
            assert_eq!(EVERY_ROUNDING.map(|rounding| share(-amount, 10, rounding)), turned, "-{amount}");
        }
    }

    #[test]
    fn the_tax_on_a_fee() {
        // 7.5 % of 10, 25 and 50 naira.
        for (fee, tax) in [(1_000, 75), (2_500, 188), (5_000, 375)] {
            assert_eq!(share(fee, 750, Rounding::HalfUp), tax);
        }
    }

    #[test]
    fn rates_out_of_range_are_refused_however_they_come() {
        for points in [-1, 10_001, i64::from(u16::MAX) + 1, i64::MIN, i64::MAX] {
            assert_eq!(BasisPoints::new(points), Err(InvalidBasisPoints), "{points}");
            assert!(serde_json::from_value::<BasisPoints>(json!(points)).is_err(), "{points}");
            assert_eq!(points.to_string().parse::<BasisPoints>(), Err(InvalidBasisPoints), "{points}");
        }
        for wrong in ["", "+750", "7.5", "7.5%", "750bp", " 750", "-0", "99999999999999999999"] {
            assert_eq!(wrong.parse::<BasisPoints>(), Err(InvalidBasisPoints), "{wrong:?}");
        }
        for wrong in [json!(7.5), json!("750"), json!(null)] {
            assert!(serde_json::from_value::<BasisPoints>(wrong.clone()).is_err(), "{wrong}");
        }
        assert_eq!(
            (BasisPoints::new(0), BasisPoints::new(10_000)),
            (Ok(BasisPoints::NONE), Ok(BasisPoints::ALL))
        );
    }

    proptest! {
        #[test]
        fn a_rate_is_read_back_as_written(points in 0..=10_000_u16) {
            let rate = BasisPoints::new(points).unwrap();
            prop_assert_eq!(rate.points(), points);
            prop_assert_eq!(rate.to_string().parse(), Ok(rate));
            prop_assert_eq!(serde_json::to_value(rate).unwrap(), json!(points));
            prop_assert_eq!(serde_json::from_value::<BasisPoints>(json!(points)).unwrap(), rate);
        }

        /// Together with `a_half_goes_where_the_rounding_says` this leaves one possible result.
        #[test]
        fn a_share_is_as_near_as_its_rounding_promises(amount in amounts(), points in 0..=10_000_u16) {
            let exact = i128::from(amount) * i128::from(points);
            for rounding in EVERY_ROUNDING {
                let share = i128::from(share(amount, points, rounding)) * 10_000;
                let off = (share - exact).abs();
                match rounding {
                    Rounding::HalfEven | Rounding::HalfUp => prop_assert!(off <= 5_000, "{rounding:?} {off}"),
                    Rounding::Down => prop_assert!(off < 10_000 && share.abs() <= exact.abs(), "{off}"),
                    Rounding::Up => prop_assert!(off < 10_000 && share.abs() >= exact.abs(), "{off}"),
                }
                prop_assert!(share == 0 || share.signum() == exact.signum());
            }
        }

        #[test]
        fn a_half_goes_where_the_rounding_says(
            // Each pair makes half a unit; an odd number of them lies halfway between two units.
            (half, points) in prop::sample::select(vec![(1, 5_000), (2, 2_500), (4, 1_250), (8, 625), (100, 50)]),
            odd in (i64::MIN / 100..i64::MAX / 100).prop_map(|any| any | 1),
        ) {
            let amount = odd * half;
            let even = share(amount, points, Rounding::HalfEven);
            prop_assert!(even % 2 == 0 && (even * 2).abs_diff(odd) == 1, "{even} for {odd} halves");
            prop_assert_eq!(share(amount, points, Rounding::HalfUp), share(amount, points, Rounding::Up));
        }

        #[test]
        fn a_share_mirrors_at_zero_and_is_never_more_than_the_amount(
            amount in amounts(), points in 0..=10_000_u16,
        ) {
            for rounding in EVERY_ROUNDING {
                let part = share(amount, points, rounding);
                prop_assert!(part.unsigned_abs() <= amount.unsigned_abs());
                if let Some(turned) = amount.checked_neg() {
                    prop_assert_eq!(share(turned, points, rounding), -part);
                }
                prop_assert_eq!(share(amount, 0, rounding), 0);
                prop_assert_eq!(share(amount, 10_000, rounding), amount);
            }
        }
    }
}
