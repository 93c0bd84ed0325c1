//! What a machine may be allowed to do for the person who gave it an API key: the scopes of its tokens (RFC 6749 § 3.3). A route
//! takes a machine's token only if it names a scope, as [`PersonOrMachine`](crate::PersonOrMachine); everywhere else such a token is
//! refused, so a new route is closed to machines until somebody opens it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub enum Scope {
    /// Wallets with their balances, entries and statements.
    #[serde(rename = "wallets:read")]
    WalletsRead,
    /// The list of transactions, and each of them.
    #[serde(rename = "transactions:read")]
    TransactionsRead,
    /// Sending money from the owner's wallets.
    #[serde(rename = "transfers:write")]
    TransfersWrite,
}

impl Scope {
    pub const ALL: [Self; 3] = [Self::WalletsRead, Self::TransactionsRead, Self::TransfersWrite];

    pub const fn name(self) -> &'static str {
        match self {
            Self::WalletsRead => "wallets:read",
            Self::TransactionsRead => "transactions:read",
            Self::TransfersWrite => "transfers:write",
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("must be one of wallets:read, transactions:read, transfers:write")]
pub struct UnknownScope;

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|scope| scope.name() == name).ok_or(UnknownScope)
    }
}

/// Some of them, each once, in one order; written with spaces between.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    pub fn contains(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = Scope> + '_ {
        self.0.iter().copied()
    }

    /// Whether all of these are among the others.
    pub fn within(&self, others: &Self) -> bool {
        self.iter().all(|scope| others.contains(scope))
    }

    /// Those that this release knows. Others are passed over: a newer release may give scopes that mean nothing here.
    pub fn known<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        names.into_iter().filter_map(|name| name.parse().ok()).collect()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let mut scopes: Vec<Scope> = scopes.into_iter().collect();
        scopes.sort_unstable();
        scopes.dedup();
        Self(scopes)
    }
}

/// As a client asks for them: one that is not known is an error.
impl FromStr for Scopes {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split(' ').filter(|name| !name.is_empty()).map(str::parse).collect()
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.iter().map(Scope::name).collect();
        f.write_str(&names.join(" "))
    }
}

impl Serialize for Scopes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Self::known(text.split(' ')))
    }
}

/// The scope that a route asks a machine for.
pub trait Needed: Send + Sync + 'static {
    const SCOPE: Scope;
    const NAME: &'static str = Self::SCOPE.name();
}

macro_rules! needed {
    ($($(#[$doc:meta])+ $name:ident;)+) => {
        $(
            $(#[$doc])+
            #[derive(Debug, Clone, Copy)]
            pub struct $name;

            impl Needed for $name {
                const SCOPE: Scope = Scope::$name;
            }
        )+
    };
}

needed! {
    /// `wallets:read`
    WalletsRead;
    /// `transactions:read`
    TransactionsRead;
    /// `transfers:write`
    TransfersWrite;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_written_once_each_and_read_back() {
        let scopes: Scopes = "transfers:write  wallets:read transfers:write".parse().unwrap();
        assert_eq!(scopes.to_string(), "wallets:read transfers:write");
        assert_eq!(serde_json::to_value(&scopes).unwrap(), "wallets:read transfers:write");
        assert_eq!(scopes.to_string().parse::<Scopes>().unwrap(), scopes);
        for scope in Scope::ALL {
            assert_eq!(scope.name().parse::<Scope>().unwrap(), scope);
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.name());
        }
    }

    #[test]
    fn the_contract_names_the_same() {
        let named = common_utils::http::docs::MACHINE_SCOPES.map(|(name, _)| name);
        assert_eq!(named, Scope::ALL.map(Scope::name));
    }

    #[test]
    fn an_unknown_scope_is_refused_from_a_client_and_passed_over_in_a_token() {
        assert!("wallets:read wallets:write".parse::<Scopes>().is_err());
        assert!("Wallets:read".parse::<Scope>().is_err());
        let newer: Scopes = serde_json::from_str(r#""wallets:read refunds:write""#).unwrap();
        assert_eq!(newer.iter().collect::<Vec<_>>(), [Scope::WalletsRead]);
    }

    #[test]
    fn nobody_gets_more_than_was_given() {
        let given: Scopes = "wallets:read transactions:read".parse().unwrap();
        assert!(Scopes::default().within(&given) && given.within(&given));
        assert!("wallets:read".parse::<Scopes>().unwrap().within(&given));
        assert!(!"wallets:read transfers:write".parse::<Scopes>().unwrap().within(&given));
    }
}
