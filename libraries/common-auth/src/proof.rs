//! How somebody proved who they are: by which methods (RFC 8176), how strong these are together (the assurance levels of NIST SP
//! 800-63B-4), and when. Sessions keep it, access tokens tell it, and `step_up.rs` asks for it.

use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

/// One thing that proves who somebody is. On the wire it is the name of RFC 8176, or one of the kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Method {
    #[serde(rename = "pwd")]
    Password,
    /// A code of an authenticator app.
    #[serde(rename = "otp")]
    Totp,
    /// One of the codes that were handed out for the day on which everything else is lost.
    #[serde(rename = "recovery")]
    Recovery,
    /// A passkey that verified its user.
    #[serde(rename = "hwk")]
    Passkey,
    /// The key of a phone that is bound to the account, unlocked by its owner.
    #[serde(rename = "swk")]
    Device,
    /// The transaction PIN: it approves, and signs nobody in.
    #[serde(rename = "pin")]
    Pin,
}

#[derive(Debug, thiserror::Error)]
#[error("is no method of this release")]
pub struct UnknownMethod;

impl Method {
    pub const ALL: [Self; 6] =
        [Self::Password, Self::Totp, Self::Recovery, Self::Passkey, Self::Device, Self::Pin];

    /// In tokens and in the database.
    pub fn amr(self) -> &'static str {
        match self {
            Self::Password => "pwd",
            Self::Totp => "otp",
            Self::Recovery => "recovery",
            Self::Passkey => "hwk",
            Self::Device => "swk",
            Self::Pin => "pin",
        }
    }

    /// As clients name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Totp => "totp",
            Self::Recovery => "recovery",
            Self::Passkey => "passkey",
            Self::Device => "device",
            Self::Pin => "pin",
        }
    }

    /// Whoever has one of these is asked for it, and for the password alone never again. A bound phone is none: who has lost it signs in with
    /// the password, on another one.
    pub fn is_second_factor(self) -> bool {
        matches!(self, Self::Totp | Self::Recovery | Self::Passkey)
    }
}

impl FromStr for Method {
    type Err = UnknownMethod;

    /// Reads [`Method::amr`].
    fn from_str(amr: &str) -> Result<Self, UnknownMethod> {
        Self::ALL.into_iter().find(|method| method.amr() == amr).ok_or(UnknownMethod)
    }
}

/// How much a proof is worth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Assurance {
    /// One factor.
    #[default]
    Aal1,
    /// Two of them, at once or one after the other.
    Aal2,
}

impl Assurance {
    /// A passkey and a bound phone ask for what their owner knows or is before they sign, so each is two factors by itself.
    pub fn of(methods: &[Method]) -> Self {
        let has = |method| methods.contains(&method);
        let beside_password = has(Method::Totp) || has(Method::Recovery);
        let alone = has(Method::Passkey) || has(Method::Device);
        if alone || (has(Method::Password) && beside_password) { Self::Aal2 } else { Self::Aal1 }
    }

    /// In tokens, as `acr`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aal1 => "aal1",
            Self::Aal2 => "aal2",
        }
    }
}

/// Those that this release knows. A newer one may have methods that mean nothing here.
pub(crate) fn known_methods<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Method>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
}

/// A level that is not known promises no more than the lowest.
pub(crate) fn known_assurance<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Assurance, D::Error> {
    let name = String::deserialize(deserializer)?;
    let known = [Assurance::Aal1, Assurance::Aal2].into_iter().find(|level| level.name() == name);
    Ok(known.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_factors_are_two_of_different_kinds_or_one_that_is_both() {
        use Method::{Device, Passkey, Password, Pin, Recovery, Totp};
        let two = [
            vec![Password, Totp],
            vec![Recovery, Password],
            vec![Passkey],
            vec![Device],
            vec![Password, Passkey],
        ];
        let one = [vec![], vec![Password], vec![Totp], vec![Totp, Recovery], vec![Password, Pin], vec![Pin]];
        for methods in two {
            assert_eq!(Assurance::of(&methods), Assurance::Aal2, "{methods:?}");
        }
        for methods in one {
            assert_eq!(Assurance::of(&methods), Assurance::Aal1, "{methods:?}");
        }
    }

    #[test]
    fn a_method_is_read_as_it_is_written() {
        for method in Method::ALL {
            assert_eq!(method.amr().parse::<Method>().unwrap(), method);
            assert_eq!(serde_json::to_value(method).unwrap(), method.amr());
        }
        assert!("password".parse::<Method>().is_err());
    }
}
