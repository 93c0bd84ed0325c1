//! Ids are UUIDv7: unique everywhere and sorted by the time they were made. Each noun has a type of its own,
//! so a wallet's id cannot be passed where a user's is meant.

use uuid::Uuid;

/// A fresh UUIDv7.
#[expect(clippy::disallowed_methods, reason = "the one place that makes ids")]
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}

/// Declares an id type: `id_type!(/// A wallet. WalletId);`
#[macro_export]
macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(uuid::Uuid);

        impl $name {
            /// A fresh id.
            #[allow(clippy::new_without_default, reason = "two calls never give the same id, so it is no default")]
            pub fn new() -> Self {
                Self($crate::ids::new_id())
            }

            pub fn uuid(self) -> uuid::Uuid {
                self.0
            }
        }

        impl From<uuid::Uuid> for $name {
            fn from(id: uuid::Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for uuid::Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

id_type!(/// A registered person.
    UserId);
id_type!(/// A wallet; its ledger account carries the same id.
    WalletId);
id_type!(/// A movement of money as its parties see it; the ledger posting carries the same id.
    TransactionId);
id_type!(/// A support ticket.
    TicketId);
