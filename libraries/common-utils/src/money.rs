//! Money: whole minor units of an ISO 4217 currency. No float comes near it, and every sum is checked.
//!
//! - [`Money`] adds, subtracts, multiplies by a count, and reads and writes decimal text.
//! - [`Money::allocate`] splits a whole by weights. No unit is lost or made: the parts sum to the whole.
//! - [`Money::basis_points`] takes a share, [`BasisPoints`] of 0 to 100 %. Who calls it says how it is rounded.
//!
//! What is split or shared is reckoned with 128 bits, exactly, and rounded once. All of it mirrors at zero: turn the
//! sign of the amount, and only the sign of the result turns. So a reversal takes back just what was moved.

mod allocation;
mod currency;
mod rate;
#[cfg(test)]
mod testing;

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use currency::{Currency, UnknownCurrency};
pub use rate::{BasisPoints, InvalidBasisPoints, Rounding};

/// An amount in minor units (kobo, cents) of one currency. It may be negative: a balance can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Minor units, for example 150000 for NGN 1,500.00.
    #[schema(example = 150_000)]
    pub amount: i64,
    #[schema(value_type = String, example = "NGN", pattern = "^[A-Z]{3}$")]
    pub currency: Currency,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    #[error("the currencies {0} and {1} do not mix")]
    CurrencyMismatch(Currency, Currency),
    #[error("the result does not fit into 64 bits")]
    Overflow,
    #[error("there are no weights to split by")]
    NoWeights,
    #[error("at least one weight must be more than zero")]
    ZeroWeights,
    #[error("must be a decimal number with at most {0} digits after the point")]
    NotDecimal(u32),
}

impl Money {
    pub const fn new(amount: i64, currency: Currency) -> Self {
        Self { amount, currency }
    }

    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        self.amount
            .checked_add(other.amount)
            .map(|sum| Self::new(sum, self.currency))
            .ok_or(MoneyError::Overflow)
    }

    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        self.amount
            .checked_sub(other.amount)
            .map(|rest| Self::new(rest, self.currency))
            .ok_or(MoneyError::Overflow)
    }

    /// So many times this: the price of a count of things. Shares are [`Self::basis_points`].
    pub fn checked_mul(self, count: u32) -> Result<Self, MoneyError> {
        self.amount
            .checked_mul(i64::from(count))
            .map(|product| Self::new(product, self.currency))
            .ok_or(MoneyError::Overflow)
    }

    /// With the other sign. Only the lowest amount has no such: it is one further from zero than the highest.
    pub fn checked_neg(self) -> Result<Self, MoneyError> {
        self.amount.checked_neg().map(|turned| Self::new(turned, self.currency)).ok_or(MoneyError::Overflow)
    }

    /// The sum of all items, which may be none; so the currency is named. Only the result has to fit: what sums up on
    /// the way does not depend on the order.
    pub fn checked_sum(
        currency: Currency,
        items: impl IntoIterator<Item = Self>,
    ) -> Result<Self, MoneyError> {
        let nothing = Self::new(0, currency);
        let mut sum: i128 = 0;
        for item in items {
            nothing.same_currency(item)?;
            // 2^64 items and more would be needed to overflow here.
            sum += i128::from(item.amount);
        }
        i64::try_from(sum).map(|sum| Self::new(sum, currency)).map_err(|_| MoneyError::Overflow)
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            Ok(())
        } else {
            Err(MoneyError::CurrencyMismatch(self.currency, other.currency))
        }
    }

    /// Reads decimal text in major units, as banks write it: `150`, `150.5` and `150.00` are 15000, 15050 and
    /// 15000 kobo. More digits than the currency has are an error, unless they are zeros.
    pub fn parse_major(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let exponent = currency.exponent();
        let not_decimal = MoneyError::NotDecimal(exponent);
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !plain(whole) || !plain(fraction) || digits.ends_with('.') {
            return Err(not_decimal);
        }
        let kept = exponent as usize;
        if fraction.bytes().skip(kept).any(|byte| byte != b'0') {
            return Err(not_decimal);
        }
        let padded = fraction.bytes().chain(std::iter::repeat(b'0')).take(kept);
        let mut amount: i64 = 0;
        for digit in whole.bytes().chain(padded) {
            let value = i64::from(digit - b'0');
            let signed = if negative { -value } else { value };
            amount = amount
                .checked_mul(10)
                .and_then(|tens| tens.checked_add(signed))
                .ok_or(MoneyError::Overflow)?;
        }
        Ok(Self::new(amount, currency))
    }

    /// Decimal text in major units: `1500.00`.
    pub fn to_major(self) -> String {
        let exponent = self.currency.exponent() as usize;
        let sign = if self.amount < 0 { "-" } else { "" };
        let digits = format!("{:0>width$}", self.amount.unsigned_abs(), width = exponent + 1);
        let (whole, fraction) = digits.split_at(digits.len() - exponent);
        if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.currency, self.to_major())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::money::testing::{EVERY_CURRENCY, amounts, naira};

    #[test]
    fn reads_what_banks_write() {
        let naira = |text| Money::parse_major(text, Currency::NGN).map(|money| money.amount);
        assert_eq!(naira("150"), Ok(15_000));
        assert_eq!(naira("150.5"), Ok(15_050));
        assert_eq!(naira("150.0000"), Ok(15_000));
        assert_eq!(naira("-0.01"), Ok(-1));
        for wrong in ["", ".", "1.", ".5", "1,000", "1e3", "+1", "0.001", "--1", "1.-5", " 1"] {
            assert_eq!(naira(wrong), Err(MoneyError::NotDecimal(2)), "{wrong:?}");
        }
        assert_eq!(naira("92233720368547758.08"), Err(MoneyError::Overflow));
    }

    #[test]
    fn what_does_not_fit_or_mix_is_refused() {
        let naira = |amount| Money::new(amount, Currency::NGN);
        let (most, least) = (naira(i64::MAX), naira(i64::MIN));
        let mixed = Err(MoneyError::CurrencyMismatch(Currency::NGN, Currency::USD));
        let dollar = Money::new(100, Currency::USD);

        assert_eq!(most.checked_add(naira(1)), Err(MoneyError::Overflow));
        assert_eq!(most.checked_add(dollar), mixed);
        assert_eq!(least.checked_sub(naira(1)), Err(MoneyError::Overflow));
        assert_eq!(most.checked_sub(dollar), mixed);
        assert_eq!(naira(i64::MAX / 2 + 1).checked_mul(2), Err(MoneyError::Overflow));
        assert_eq!(naira(i64::MIN / 2).checked_mul(2), Ok(least));
        assert_eq!(least.checked_neg(), Err(MoneyError::Overflow));
        assert_eq!(most.checked_neg(), Ok(naira(-i64::MAX)));
        assert_eq!(Money::checked_sum(Currency::NGN, [most, naira(1)]), Err(MoneyError::Overflow));
        assert_eq!(Money::checked_sum(Currency::NGN, [naira(1), dollar]), mixed);
    }

    #[test]
    fn a_sum_may_be_of_nothing_and_does_not_depend_on_the_order() {
        let naira = |amount| Money::new(amount, Currency::NGN);
        assert_eq!(Money::checked_sum(Currency::NGN, []), Ok(naira(0)));
        for order in [[i64::MAX, 1, -1], [1, i64::MAX, -1], [-1, 1, i64::MAX]] {
            assert_eq!(Money::checked_sum(Currency::NGN, order.map(naira)), Ok(naira(i64::MAX)));
        }
    }

    #[test]
    fn text_has_the_digits_of_its_currency() {
        for (amount, code, text) in [
            (150_000, "NGN", "NGN 1500.00"),
            (-5, "NGN", "NGN -0.05"),
            (1_500, "JPY", "JPY 1500"),
            (1_500, "KWD", "KWD 1.500"),
            (1, "CLF", "CLF 0.0001"),
            (i64::MIN, "NGN", "NGN -92233720368547758.08"),
        ] {
            assert_eq!(Money::new(amount, code.parse().unwrap()).to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn text_is_read_back_as_written(amount in amounts()) {
            for currency in EVERY_CURRENCY.iter().copied() {
                let money = Money::new(amount, currency);
                prop_assert_eq!(Money::parse_major(&money.to_major(), currency), Ok(money));
            }
        }

        #[test]
        fn results_are_exact_or_refused(a in naira(), b in naira(), count: u32) {
            let exact = |result: i128| {
                i64::try_from(result).map(|amount| Money::new(amount, Currency::NGN)).map_err(|_| MoneyError::Overflow)
            };
            let (wide_a, wide_b) = (i128::from(a.amount), i128::from(b.amount));
            prop_assert_eq!(a.checked_add(b), exact(wide_a + wide_b));
            prop_assert_eq!(a.checked_sub(b), exact(wide_a - wide_b));
            prop_assert_eq!(a.checked_neg(), exact(-wide_a));
            prop_assert_eq!(a.checked_mul(count), exact(wide_a * i128::from(count)));
            prop_assert_eq!(Money::checked_sum(Currency::NGN, [a, b]), exact(wide_a + wide_b));
        }
    }
}
