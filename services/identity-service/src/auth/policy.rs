//! Which passwords are taken (NIST SP 800-63B-4): length counts, composition does not, and what everybody guesses
//! first is refused: common passwords, and one's own name, e-mail address or phone number.

use std::{collections::HashSet, sync::LazyLock};

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::users::entity::NewUser;

/// With a second factor beside it.
const SHORTEST: usize = 8;
/// Where it is the only factor.
const SHORTEST_ALONE: usize = 15;
const LONGEST: usize = 128;
/// Parts of a name shorter than this are in too many good passwords.
const SHORTEST_PART: usize = 3;

static COMMON: LazyLock<HashSet<String>> = LazyLock::new(|| {
    include_str!("../../data/common_passwords.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(str::to_lowercase)
        .collect()
});

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WeakPassword {
    #[error("must have at least {0} characters")]
    TooShort(usize),
    #[error("must have at most {LONGEST} characters")]
    TooLong,
    #[error("is one of the passwords that are guessed first")]
    Common,
    #[error("must not contain your name, e-mail address or phone number")]
    Personal,
}

impl WeakPassword {
    /// The code of the field.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::TooLong => "length",
            Self::TooShort(_) | Self::Common | Self::Personal => "weak_password",
        }
    }
}

/// The rules of a deployment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PasswordPolicy {
    shortest: usize,
}

impl PasswordPolicy {
    /// Without second factors, the password has to be longer.
    pub(crate) fn new(second_factors: bool) -> Self {
        Self { shortest: if second_factors { SHORTEST } else { SHORTEST_ALONE } }
    }

    /// Whether the password has a length that we take.
    pub(crate) fn check_length(self, password: &SecretString) -> Result<(), WeakPassword> {
        match password.expose_secret().chars().count() {
            length if length < self.shortest => Err(WeakPassword::TooShort(self.shortest)),
            length if length > LONGEST => Err(WeakPassword::TooLong),
            _ => Ok(()),
        }
    }

    /// Whether this person may have this password.
    pub(crate) fn check(self, password: &SecretString, user: &NewUser) -> Result<(), WeakPassword> {
        self.check_length(password)?;
        let password = Zeroizing::new(password.expose_secret().to_lowercase());
        if COMMON.contains(password.as_str()) {
            return Err(WeakPassword::Common);
        }
        if personal_parts(user).iter().any(|part| password.contains(part.as_str())) {
            return Err(WeakPassword::Personal);
        }
        Ok(())
    }
}

/// The words of the names, the e-mail address up to its `@`, the phone number without the country's code.
fn personal_parts(user: &NewUser) -> Vec<String> {
    let names = [user.first_name.as_str(), user.last_name.as_str()];
    let words = names.into_iter().flat_map(str::split_whitespace).map(str::to_lowercase);
    words
        .chain([user.email.local_part().to_owned(), user.phone_number.national()])
        .filter(|part| part.chars().count() >= SHORTEST_PART)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(password: &str) -> Result<(), WeakPassword> {
        let user = NewUser {
            email: "a.okafor77@example.com".parse().unwrap(),
            phone_number: "+2348031234567".parse().unwrap(),
            first_name: "Ada Li".parse().unwrap(),
            last_name: "Òkè".parse().unwrap(),
        };
        PasswordPolicy::new(true).check(&password.into(), &user)
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert_eq!(check("sevench"), Err(WeakPassword::TooShort(8)));
        assert_eq!(check("ọọọọọọọ"), Err(WeakPassword::TooShort(8)));
        assert_eq!(check("ọọọọọọọọ"), Ok(()));
        assert_eq!(check(&"🙂".repeat(128)), Ok(()));
        assert_eq!(check(&"x".repeat(129)), Err(WeakPassword::TooLong));
    }

    #[test]
    fn the_only_factor_is_longer() {
        let alone = |password: &str| PasswordPolicy::new(false).check_length(&password.into());
        assert_eq!(alone("fourteen chars"), Err(WeakPassword::TooShort(15)));
        assert_eq!(alone("fifteen letters"), Ok(()));
    }

    #[test]
    fn common_ones_are_refused_in_any_case() {
        for common in ["password", "PassWord", "12345678", "qwertyuiop", "iloveyou", "1Q2w3e4r"] {
            assert_eq!(check(common), Err(WeakPassword::Common), "{common}");
        }
        assert!(COMMON.len() >= 2500 && COMMON.iter().all(|common| common.chars().count() >= SHORTEST));
    }

    #[test]
    fn what_is_known_of_the_person_is_refused() {
        for personal in
            ["my-name-is-ADA", "ÒKÈ-river-77", "xx-a.okafor77-xx", "08031234567", "call+2348031234567"]
        {
            assert_eq!(check(personal), Err(WeakPassword::Personal), "{personal}");
        }
        assert_eq!(check("lilac river 77"), Ok(()), "two letters of a name are in too many words");
        assert_eq!(check("correct horse battery staple"), Ok(()));
    }
}
