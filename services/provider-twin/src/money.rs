//! Money at the provider: whole kobo inside, naira as JSON numbers on the wire. No float is ever made.
//!
//! - [`Kobo`] is what the book keeps (an integer in the book's file).
//! - [`Naira`] is the same amount as the provider writes it: `150`, `150.5`, never `150.50`.
//! - [`Kobo::decimal_text`] is how a webhook writes it: `"150.00"`.

use rust_decimal::{Decimal, prelude::ToPrimitive};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::value::RawValue;

/// Rounding noise that the provider's clients send (`13518.750000000004`) stays below this, in naira.
const NOISE: Decimal = Decimal::from_parts(1, 0, 0, false, 6);

/// The most that one call may name, in kobo: fifteen digits, which every JSON reader and writer keeps exactly.
const MOST: i64 = 999_999_999_999_999;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Kobo(i64);

impl Kobo {
    pub(crate) const ZERO: Self = Self(0);

    pub(crate) const fn new(minor: i64) -> Self {
        Self(minor)
    }

    pub(crate) const fn minor(self) -> i64 {
        self.0
    }

    pub(crate) fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    pub(crate) fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// Reads `"150"`, `"150.5"` or `"150.00"`; nothing else.
    pub(crate) fn from_decimal_text(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > 2 {
            return None;
        }
        format!("{whole}{fraction:0<2}").parse().ok().filter(|kobo| *kobo <= MOST).map(Self)
    }

    /// Reads the text of a JSON number of naira; more than rounding noise below a kobo is refused.
    pub(crate) fn from_naira_number(text: &str) -> Option<Self> {
        let naira = text.parse::<Decimal>().or_else(|_| Decimal::from_scientific(text)).ok()?;
        let rounded = naira.round_dp(2);
        if naira.checked_sub(rounded)?.abs() >= NOISE {
            return None;
        }
        rounded.checked_mul(Decimal::ONE_HUNDRED)?.to_i64().filter(|kobo| kobo.abs() <= MOST).map(Self)
    }

    pub(crate) fn decimal_text(self) -> String {
        let sign = if self.0 < 0 { "-" } else { "" };
        let minor = self.0.unsigned_abs();
        format!("{sign}{}.{:02}", minor / 100, minor % 100)
    }

    fn naira_text(self) -> String {
        self.decimal_text().trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

/// An amount as the provider's JSON carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Naira(pub(crate) Kobo);

impl Serialize for Naira {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.0.naira_text()).map_err(ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Naira {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = Box::<RawValue>::deserialize(deserializer)?;
        Kobo::from_naira_number(number.get())
            .map(Self)
            .ok_or_else(|| de::Error::custom("an amount must be a number of naira and whole kobo"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_exactly_and_noise_is_forgiven() {
        let cases = [
            ("150", Some(15_000)),
            ("150.5", Some(15_050)),
            ("13518.750000000004", Some(1_351_875)),
            ("13518.749999999998", Some(1_351_875)),
            ("1.5e2", Some(15_000)),
            ("9999999999999.99", Some(MOST)),
            ("10000000000000", None),
            ("0.001", None),
            ("150.005", None),
            ("1e40", None),
            ("\"150\"", None),
            ("true", None),
        ];
        for (text, expected) in cases {
            assert_eq!(Kobo::from_naira_number(text).map(Kobo::minor), expected, "{text}");
        }
    }

    #[test]
    fn naira_is_written_as_a_number_without_losing_a_kobo() {
        let written = |minor| serde_json::to_string(&Naira(Kobo::new(minor))).unwrap();
        assert_eq!(written(15_000), "150");
        assert_eq!(written(15_050), "150.5");
        assert_eq!(written(5), "0.05");
        assert_eq!(written(0), "0");
        assert_eq!(written(MOST), "9999999999999.99");
        // Also by way of a JSON value, which keeps numbers as floats.
        for minor in [MOST, MOST - 1, 1, 7, 1_351_875] {
            let value = serde_json::json!({ "amount": Naira(Kobo::new(minor)) });
            assert_eq!(value.to_string(), format!(r#"{{"amount":{}}}"#, written(minor)));
        }
    }

    #[test]
    fn decimal_text_is_strict() {
        assert_eq!(Kobo::from_decimal_text("150.00"), Some(Kobo::new(15_000)));
        assert_eq!(Kobo::from_decimal_text("150.5"), Some(Kobo::new(15_050)));
        for text in ["", ".", "1.", ".5", "1.005", "-1", "+1", "1e2", " 1", "1,000", "99999999999999999999"] {
            assert_eq!(Kobo::from_decimal_text(text), None, "{text:?}");
        }
        assert_eq!(Kobo::new(-5).decimal_text(), "-0.05");
    }
}
