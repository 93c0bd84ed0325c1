//! Amounts as the provider writes them: naira, as JSON numbers that have been through a float
//! (`13518.750000000004`) or as decimal text (`"150.00"`). They are read as decimal text and never become a float.

use common_utils::money::{Currency, Money};
use rust_decimal::{Decimal, prelude::ToPrimitive};
use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;

/// What a float leaves behind stays below this, in naira. More is not noise, and no kobo.
const NOISE: Decimal = Decimal::from_parts(1, 0, 0, false, 6);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no amount of naira in whole kobo")]
pub struct AmountError;

/// An amount of naira.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Naira(pub Money);

impl Naira {
    /// Reads a JSON number's text, or the decimal text inside a JSON string.
    pub fn parse(text: &str) -> Result<Self, AmountError> {
        // The parser takes more than JSON does: `1_000`, `+1`.
        let plain = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E');
        if !text.bytes().all(plain) || text.starts_with('+') {
            return Err(AmountError);
        }
        let naira =
            if text.contains(['e', 'E']) { Decimal::from_scientific(text) } else { text.parse::<Decimal>() };
        let naira = naira.map_err(|_| AmountError)?;
        let rounded = naira.round_dp(2);
        let noise = naira.checked_sub(rounded).ok_or(AmountError)?.abs();
        if noise >= NOISE {
            return Err(AmountError);
        }
        let kobo = rounded.checked_mul(Decimal::ONE_HUNDRED).and_then(|kobo| kobo.to_i64());
        kobo.map(|kobo| Self(Money::new(kobo, Currency::NGN))).ok_or(AmountError)
    }
}

impl<'de> Deserialize<'de> for Naira {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = raw.get();
        let parsed = if text.starts_with('"') {
            serde_json::from_str::<String>(text).map_err(|_| AmountError).and_then(|text| Self::parse(&text))
        } else {
            Self::parse(text)
        };
        parsed.map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kobo(json: &str) -> Option<i64> {
        serde_json::from_str::<Naira>(json).ok().map(|naira| naira.0.amount)
    }

    #[test]
    fn numbers_and_text_are_read_exactly() {
        let cases = [
            ("150", Some(15_000)),
            ("150.5", Some(15_050)),
            ("\"150.00\"", Some(15_000)),
            ("13518.750000000004", Some(1_351_875)),
            ("13518.749999999998", Some(1_351_875)),
            ("1.5e2", Some(15_000)),
            ("1.5E+2", Some(15_000)),
            ("-0.01", Some(-1)),
            ("92233720368547758.07", Some(i64::MAX)),
            ("92233720368547758.08", None),
            ("0.001", None),
            ("150.005", None),
            ("150.000001", None),
            ("150.0000009", Some(15_000)),
            ("1e400", None),
            ("1e-400", None),
            ("\"1_000\"", None),
            ("\"+1\"", None),
            ("\"1,000\"", None),
            ("\" 1\"", None),
            ("\"\"", None),
            ("\"NaN\"", None),
            ("true", None),
            ("null", None),
            ("{}", None),
        ];
        for (json, expected) in cases {
            assert_eq!(kobo(json), expected, "{json}");
        }
    }

    proptest! {
        #[test]
        fn every_amount_survives_being_a_float(minor in 0_i64..100_000_000_000) {
            #[expect(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "this is what providers do")]
            let float = minor as f64 / 100.0;
            prop_assert_eq!(kobo(&serde_json::to_string(&float).unwrap()), Some(minor));
        }

        #[test]
        fn noise_is_forgiven_and_a_fraction_of_a_kobo_is_not(minor in 0_i64..1_000_000_000_000, noise in 1_u32..1_000_000) {
            let (whole, cents) = (minor / 100, minor % 100);
            prop_assert_eq!(kobo(&format!("{whole}.{cents:02}000000{noise:06}")), Some(minor));
            // At least 1e-6 naira away from this kobo and from the next.
            prop_assume!((1_000..9_999_000).contains(&(u64::from(noise) * 10)));
            prop_assert_eq!(kobo(&format!("{whole}.{cents:02}{noise:06}")), None);
        }

        #[test]
        fn no_text_panics(text in ".{0,60}") {
            let _ = Naira::parse(&text);
        }

        #[test]
        fn text_of_digits_never_panics(text in "-?[0-9]{0,40}\\.?[0-9]{0,40}([eE][+-]?[0-9]{1,12})?") {
            let _ = Naira::parse(&text);
        }
    }
}
