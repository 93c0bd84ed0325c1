//! Money: whole minor units of an ISO 4217 currency. No float comes near it, and every sum is checked.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::ToSchema;

/// An ISO 4217 currency, written as its three letters.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    pub const NGN: Self = Self(iso_currency::Currency::NGN);
    pub const USD: Self = Self(iso_currency::Currency::USD);
    pub const GHS: Self = Self(iso_currency::Currency::GHS);
    pub const KES: Self = Self(iso_currency::Currency::KES);

    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// How many decimal digits the minor unit has: 2 for the naira (kobo), 0 for the yen. ISO 4217 gives none for
    /// gold and the like; those are not currencies that a wallet can hold.
    pub fn exponent(self) -> u32 {
        self.0.exponent().map_or(0, u32::from)
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the three capital letters of an ISO 4217 currency, such as NGN")]
pub struct UnknownCurrency;

impl FromStr for Currency {
    type Err = UnknownCurrency;

    fn from_str(code: &str) -> Result<Self, Self::Err> {
        let currency = iso_currency::Currency::from_code(code).ok_or(UnknownCurrency)?;
        currency.exponent().map(|_| Self(currency)).ok_or(UnknownCurrency)
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        code.parse().map_err(de::Error::custom)
    }
}

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
    #[error("the sum does not fit into 64 bits")]
    Overflow,
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
    fn sums_are_checked() {
        let most = Money::new(i64::MAX, Currency::NGN);
        assert_eq!(most.checked_add(Money::new(1, Currency::NGN)), Err(MoneyError::Overflow));
        assert!(matches!(
            most.checked_sub(Money::new(1, Currency::USD)),
            Err(MoneyError::CurrencyMismatch(..))
        ));
    }

    #[test]
    fn unknown_and_unspendable_currencies_are_refused() {
        for code in ["ngn", "NG", "XAU", "ZZZ", ""] {
            assert_eq!(code.parse::<Currency>(), Err(UnknownCurrency), "{code}");
        }
    }

    proptest! {
        #[test]
        fn major_text_is_read_back_as_written(amount: i64, code in prop::sample::select(vec!["NGN", "JPY", "KWD"])) {
            let money = Money::new(amount, code.parse().unwrap());
            prop_assert_eq!(Money::parse_major(&money.to_major(), money.currency), Ok(money));
        }
    }
}
