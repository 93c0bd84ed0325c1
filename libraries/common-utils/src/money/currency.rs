//! Currencies, as ISO 4217 lists them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::testing::EVERY_CURRENCY;

    /// What ISO 4217 lists with other than two digits.
    const EXPONENTS: [(u32, &[&str]); 3] = [
        (
            0,
            &[
                "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND",
                "VUV", "XAF", "XOF", "XPF",
            ],
        ),
        (3, &["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"]),
        (4, &["CLF", "UYW"]),
    ];

    #[test]
    fn every_currency_has_the_digits_that_iso_4217_gives_it() {
        for (exponent, codes) in EXPONENTS {
            for code in codes {
                assert_eq!(code.parse::<Currency>().map(Currency::exponent), Ok(exponent), "{code}");
            }
        }
        for currency in EVERY_CURRENCY.iter().copied() {
            let listed = EXPONENTS.iter().find(|(_, codes)| codes.contains(&currency.code()));
            assert_eq!(currency.exponent(), listed.map_or(2, |(exponent, _)| *exponent), "{currency}");
        }
    }

    #[test]
    fn the_constants_are_what_their_names_say() {
        for (constant, code) in
            [(Currency::NGN, "NGN"), (Currency::USD, "USD"), (Currency::GHS, "GHS"), (Currency::KES, "KES")]
        {
            assert_eq!((code.parse(), constant.exponent()), (Ok(constant), 2));
        }
    }

    #[test]
    fn unknown_and_unspendable_currencies_are_refused() {
        for code in ["ngn", "NG", "NGNN", " NGN", "566", "XAU", "XDR", "XTS", "XXX", "ZZZ", ""] {
            assert_eq!(code.parse::<Currency>(), Err(UnknownCurrency), "{code}");
            assert!(serde_json::from_value::<Currency>(code.into()).is_err(), "{code}");
        }
    }
}
