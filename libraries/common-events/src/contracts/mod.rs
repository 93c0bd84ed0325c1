//! The public events. Each is a self-contained snapshot; its JSON Schema is generated from the type and committed
//! under `schemas/`, where a test holds the two against each other.

mod admin;
mod transaction;
mod user;
mod wallet;

use schemars::{JsonSchema, Schema, schema_for};
use serde::Serialize;

pub use admin::*;
pub use transaction::*;
pub use user::*;
pub use wallet::*;

use crate::Topic;

/// The data of one event type.
pub trait EventData: Serialize {
    const TYPE: &'static str;
    const VERSION: u16;
    const TOPIC: Topic;

    /// The partition key: the aggregate whose events keep their order.
    fn key(&self) -> String;

    /// What the event is about, for example `user/{id}`.
    fn subject(&self) -> String;
}

/// Declares event types that carry the same snapshot.
macro_rules! events {
    ($topic:expr, $snapshot:ty, $subject:literal, $id:ident: $($(#[$doc:meta])* $name:ident = $kind:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
            #[serde(transparent)]
            pub struct $name(pub $snapshot);

            impl $crate::contracts::EventData for $name {
                const TYPE: &'static str = $kind;
                const VERSION: u16 = 1;
                const TOPIC: $crate::Topic = $topic;

                fn key(&self) -> String {
                    self.0.$id.to_string()
                }

                fn subject(&self) -> String {
                    format!("{}/{}", $subject, self.0.$id)
                }
            }
        )*
    };
}
pub(crate) use events;

/// An amount in minor units, with its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, JsonSchema)]
pub struct Amount {
    /// Minor units.
    pub amount: i64,
    /// ISO 4217.
    #[schemars(with = "String", regex(pattern = "^[A-Z]{3}$"))]
    pub currency: common_utils::money::Currency,
}

impl From<common_utils::money::Money> for Amount {
    fn from(money: common_utils::money::Money) -> Self {
        Self { amount: money.amount, currency: money.currency }
    }
}

impl From<Amount> for common_utils::money::Money {
    fn from(amount: Amount) -> Self {
        Self::new(amount.amount, amount.currency)
    }
}

/// The schema of every event: type, version, schema.
pub fn schemas() -> Vec<(&'static str, u16, Schema)> {
    fn entry<T: EventData + JsonSchema>() -> (&'static str, u16, Schema) {
        (T::TYPE, T::VERSION, schema_for!(T))
    }
    vec![
        entry::<UserRegistered>(),
        entry::<UserVerified>(),
        entry::<UserUpdated>(),
        entry::<WalletCreated>(),
        entry::<WalletFrozen>(),
        entry::<WalletUnfrozen>(),
        entry::<WalletClosed>(),
        entry::<WalletBoundsChanged>(),
        entry::<VirtualAccountIssued>(),
        entry::<WalletCredited>(),
        entry::<WalletDebited>(),
        entry::<TransactionInitiated>(),
        entry::<TransactionCompleted>(),
        entry::<TransactionFailed>(),
        entry::<TicketCreated>(),
        entry::<TicketAssigned>(),
        entry::<TicketCommented>(),
        entry::<TicketResolved>(),
        entry::<TicketClosed>(),
    ]
}
