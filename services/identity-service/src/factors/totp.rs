//! Codes of authenticator apps (RFC 6238): SHA-1, six digits, a step of 30 seconds, which is what every app knows.
//!
//! A code is taken within its own step, the one before and the one after: clocks of phones differ, and people type. None is taken twice:
//! whoever has seen one typed has nothing of it.

use std::fmt;

use chrono::{DateTime, Utc};
use totp_rs::{Algorithm, Builder, Secret, Totp, TotpError};
use zeroize::Zeroizing;

use crate::codes::entity::Code;

/// RFC 4226 recommends 160 bits.
const BYTES: usize = 20;
const DIGITS: u8 = 6;
const STEP_SECONDS: u64 = 30;
/// Steps before and after the present one.
const SKEW: u16 = 1;

#[derive(Clone, PartialEq, Eq)]
pub(super) struct TotpSecret(Zeroizing<[u8; BYTES]>);

impl TotpSecret {
    pub(super) fn random() -> Self {
        Self(Zeroizing::new(rand::random()))
    }

    /// None for what cannot be a secret of ours.
    pub(super) fn from_stored(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(bytes.try_into().ok()?)))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// As somebody types it who cannot scan it.
    pub(super) fn base32(&self) -> String {
        Secret::new_stack(*self.0).to_base32()
    }

    /// What an app reads out of the QR code.
    pub(super) fn uri(&self, issuer: &str, account: &str) -> Result<String, TotpError> {
        let named = self.builder().with_issuer(Some(issuer)).with_account_name(account);
        named.build()?.to_url()
    }

    /// The time step that the code belongs to, if it is good at the moment.
    pub(super) fn step_of(&self, code: &Code, now: DateTime<Utc>) -> Option<i64> {
        let step = self.totp().check(code.digits(), u64::try_from(now.timestamp()).ok()?)?;
        i64::try_from(step).ok()
    }

    fn totp(&self) -> Totp {
        self.builder().build_noncompliant()
    }

    fn builder(&self) -> Builder {
        Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_digits(DIGITS)
            .with_step_duration(STEP_SECONDS)
            .with_skew(SKEW)
            .with_secret(Secret::new_stack(*self.0))
    }
}

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    /// RFC 6238, appendix B: the last six of its eight digits.
    const VECTORS: [(i64, &str); 6] = [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ];

    fn secret() -> TotpSecret {
        TotpSecret::from_stored(b"12345678901234567890").unwrap()
    }

    #[test]
    fn codes_are_those_of_the_standard() {
        for (time, code) in VECTORS {
            assert_eq!(secret().step_of(&code.parse().unwrap(), at(time)), Some(time / 30), "{time}");
        }
    }

    #[test]
    fn a_code_is_good_one_step_before_and_after_its_own() {
        let (code, step): (Code, i64) = ("050471".parse().unwrap(), 1_111_111_111 / 30);
        let first = step * 30;
        for (time, good) in
            [(first - 31, false), (first - 30, true), (first, true), (first + 59, true), (first + 60, false)]
        {
            assert_eq!(secret().step_of(&code, at(time)), good.then_some(step), "{}", time - first);
        }
        assert_eq!(secret().step_of(&"050472".parse().unwrap(), at(first)), None);
    }

    #[test]
    fn an_app_is_told_the_secret_and_whose_it_is() {
        let uri = secret().uri("Wallet Ltd", "ada@example.com").unwrap();
        assert_eq!(
            uri,
            "otpauth://totp/Wallet%20Ltd:ada%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Wallet%20Ltd"
        );
        assert_eq!(secret().base32(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    }

    #[test]
    fn a_secret_is_new_each_time_and_does_not_print() {
        assert_ne!(TotpSecret::random(), TotpSecret::random());
        assert_eq!(format!("{:?}", secret()), "TotpSecret(…)");
        assert!(TotpSecret::from_stored(b"short").is_none());
    }
}
