//! The one table of what may be done on the platform, and by whom: staff by role, services by name, and what is open to
//! everybody, with the reason. A line is a type, which the handler names: `Staff<WorkOnTickets>`, `ServiceCaller<ReadKyc>`,
//! `Anybody<SignsIn>`. What a person may do with what is their own needs no permission: `CurrentUser`.
//!
//! `docs/permissions.md` is written from here (`UPDATE_DOCS=1 cargo test -p common-auth --test permissions`).

mod page;

pub use page::page;

use crate::Role;

/// What staff may do, and the roles that may.
pub trait Permission: Send + Sync + 'static {
    const NAME: &'static str;
    const HOLDERS: &'static [Role];

    fn is_held_by(roles: &[Role]) -> bool {
        roles.iter().any(|role| Self::HOLDERS.contains(role))
    }
}

/// What a service may ask of another, and the services that may.
pub trait ServicePermission: Send + Sync + 'static {
    const NAME: &'static str;
    const HOLDERS: &'static [Service];

    fn is_held_by(name: &str) -> bool {
        Self::HOLDERS.iter().any(|service| service.name() == name)
    }
}

/// Why everybody may call a route.
pub trait Reason: Send + Sync + 'static {
    const NAME: &'static str;
}

/// The services that call others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    Wallet,
    Transaction,
    Admin,
}

impl Service {
    pub const ALL: [Self; 3] = [Self::Wallet, Self::Transaction, Self::Admin];

    /// As its tokens name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wallet => "wallet-service",
            Self::Transaction => "transaction-service",
            Self::Admin => "admin-service",
        }
    }
}

/// A line of the table.
#[derive(Debug, Clone, Copy)]
pub struct Line<H: 'static> {
    pub name: &'static str,
    pub about: &'static str,
    pub holders: &'static [H],
}

/// A type for each line, and the list of all lines.
macro_rules! lines {
    ($list:ident: $trait:ident of $holders:ident; $($(#[doc = $doc:literal])+ $name:ident = [$($holder:ident),+];)+) => {
        $(
            $(#[doc = $doc])+
            #[derive(Debug, Clone, Copy)]
            pub struct $name;

            impl $trait for $name {
                const NAME: &'static str = stringify!($name);
                const HOLDERS: &'static [$holders] = &[$($holders::$holder),+];
            }
        )+

        pub const $list: &[Line<$holders>] =
            &[$(Line { name: $name::NAME, about: concat!($($doc),+), holders: $name::HOLDERS }),+];
    };
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident;)+) => {
        $(
            $(#[doc = $doc])+
            #[derive(Debug, Clone, Copy)]
            pub struct $name;

            impl Reason for $name {
                const NAME: &'static str = stringify!($name);
            }
        )+

        /// Nobody in particular holds them.
        pub const REASONS: &[Line<()>] =
            &[$(Line { name: $name::NAME, about: concat!($($doc),+), holders: &[] }),+];
    };
}

lines! { STAFF: Permission of Role;
    /// Works on tickets of all customers.
    WorkOnTickets = [Support, Admin];
    /// Looks at customers, their wallets and what they moved; contacts are masked.
    LookAtCustomers = [Support, Admin];
    /// Reads and verifies the audit log.
    ReadAuditLog = [Compliance, Admin];
    /// Freezes wallets and makes them work again.
    FreezeWallets = [Compliance, Admin];
    /// Looks at what people give to be verified, and decides about it.
    ReviewKyc = [Compliance, Admin];
    /// Looks at dead letters, puts them back and discards them. They hold what the events hold, personal data too.
    HandleDeadLetters = [Admin];
    /// Decides who gets webhooks, and with them what the events hold, personal data too.
    ManageWebhooks = [Admin];
}

lines! { SERVICES: ServicePermission of Service;
    /// Finds people by id, phone number or e-mail address, with their names and tier.
    FindPeople = [Transaction, Admin];
    /// Reads the bank verification number and date of birth of somebody, to pass them on to a bank.
    ReadKyc = [Wallet];
    /// Finds wallets, with their owners and states.
    FindWallets = [Transaction, Admin];
    /// Freezes, unfreezes, closes and bounds wallets, by order of staff.
    OrderOnWallets = [Admin];
    /// Moves money in the ledger.
    PostToLedger = [Transaction];
    /// Reads any transaction, with both its owners.
    ReadTransactions = [Admin];
}

reasons! {
    /// Who registers or signs in has no token yet; how often one may try is bounded.
    SignsIn;
    /// Who has lost the means to sign in asks for others; what is answered does not tell whether there is such a person.
    Recovers;
    /// The body proves by itself who sent it: by a token that only one person was given, or by a signature.
    ProvedByContent;
    /// What is answered is public, and the same for everybody.
    PublicFacts;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permission_is_held_by_the_named_and_by_no_other() {
        assert!(WorkOnTickets::is_held_by(&[Role::User, Role::Support]));
        assert!(!WorkOnTickets::is_held_by(&[Role::User, Role::Finance]) && !WorkOnTickets::is_held_by(&[]));
        assert!(ReadKyc::is_held_by("wallet-service"));
        for other in ["transaction-service", "wallet", "Wallet-Service", "wallet-service ", ""] {
            assert!(!ReadKyc::is_held_by(other), "{other:?}");
        }
    }

    #[test]
    fn no_customer_holds_a_permission_of_staff() {
        for line in STAFF {
            assert!(!line.holders.contains(&Role::User), "{}", line.name);
        }
    }
}
