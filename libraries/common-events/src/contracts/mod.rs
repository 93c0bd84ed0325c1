//! The public events. Each is a self-contained snapshot; its JSON Schema is generated from the type and committed
//! under `schemas/`, where a test holds the two against each other, and refuses a change that would break readers
//! (`compatibility.rs`). `docs/events.md` is generated too (`reference.rs`).

mod admin;
pub mod compatibility;
pub mod reference;
mod transaction;
mod user;
mod wallet;

use std::{collections::HashMap, sync::LazyLock};

use schemars::{JsonSchema, Schema, generate::SchemaSettings};
use serde::Serialize;
use serde_json::Value;

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
    /// What it is about: `user`, `wallet`, …
    const AGGREGATE: &'static str;
    /// The field of the data that names the aggregate, in snake case.
    const KEY_FIELD: &'static str;

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
                const AGGREGATE: &'static str = $subject;
                const KEY_FIELD: &'static str = stringify!($id);

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
    #[schemars(example = 150_000)]
    pub amount: i64,
    /// ISO 4217.
    #[schemars(with = "String", regex(pattern = "^[A-Z]{3}$"), example = &"NGN")]
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

/// An event type as readers rely on it.
#[derive(Debug)]
pub struct Contract {
    pub kind: &'static str,
    pub version: u16,
    pub topic: Topic,
    pub aggregate: &'static str,
    /// The field of the data that is the partition key, as it is written.
    pub key_field: String,
    pub schema: Value,
}

impl Contract {
    fn of<T: EventData + JsonSchema>() -> Self {
        Self {
            kind: T::TYPE,
            version: T::VERSION,
            topic: T::TOPIC,
            aggregate: T::AGGREGATE,
            key_field: camel_case(T::KEY_FIELD),
            schema: schema::<T>(),
        }
    }

    /// Its name in a schema registry.
    pub fn subject(&self) -> String {
        format!("{}.v{}", self.kind, self.version)
    }

    /// The name of its committed schema.
    pub fn file(&self) -> String {
        format!("{}.json", self.subject())
    }

    /// Its schema as it is committed, what it is for first.
    pub fn text(&self) -> serde_json::Result<String> {
        let ordered = Schema::try_from(self.schema.clone())?;
        Ok(format!("{}\n", serde_json::to_string_pretty(&ordered)?))
    }
}

/// In the draft that every schema registry reads.
fn schema<T: JsonSchema>() -> Value {
    SchemaSettings::draft07().into_generator().into_root_schema_for::<T>().to_value()
}

fn camel_case(snake: &str) -> String {
    let mut words = snake.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut name, word| {
        let (head, tail) = word.split_at(word.len().min(1));
        name.push_str(&head.to_ascii_uppercase());
        name.push_str(tail);
        name
    })
}

/// The newest version of an event type that this build knows.
pub fn latest_version(kind: &str) -> Option<u16> {
    static LATEST: LazyLock<HashMap<&'static str, u16>> = LazyLock::new(|| {
        let mut latest = HashMap::new();
        for contract in all() {
            let known = latest.entry(contract.kind).or_default();
            *known = contract.version.max(*known);
        }
        latest
    });
    LATEST.get(kind).copied()
}

/// What a service publishes.
pub fn of(service: &str) -> Vec<Contract> {
    all().into_iter().filter(|contract| contract.topic.publisher() == service).collect()
}

/// Every event type, in every version that is published. Schemas of earlier versions stay committed: topics keep their events.
pub fn all() -> Vec<Contract> {
    vec![
        Contract::of::<UserRegistered>(),
        Contract::of::<UserVerified>(),
        Contract::of::<UserUpdated>(),
        Contract::of::<UserTierChanged>(),
        Contract::of::<UserDeactivated>(),
        Contract::of::<UserErased>(),
        Contract::of::<UserPasswordChanged>(),
        Contract::of::<SessionEnded>(),
        Contract::of::<UserLocked>(),
        Contract::of::<SourceBlocked>(),
        Contract::of::<ApiKeyCreated>(),
        Contract::of::<ApiKeyRotated>(),
        Contract::of::<ApiKeyRevoked>(),
        Contract::of::<UserFactorAdded>(),
        Contract::of::<UserFactorRemoved>(),
        Contract::of::<UserPinLocked>(),
        Contract::of::<KycCaseSubmitted>(),
        Contract::of::<KycCaseUpdated>(),
        Contract::of::<KycCaseDecided>(),
        Contract::of::<KycEvidenceViewed>(),
        Contract::of::<WalletCreated>(),
        Contract::of::<WalletFrozen>(),
        Contract::of::<WalletUnfrozen>(),
        Contract::of::<WalletClosed>(),
        Contract::of::<WalletBoundsChanged>(),
        Contract::of::<VirtualAccountIssued>(),
        Contract::of::<DepositParked>(),
        Contract::of::<WalletCredited>(),
        Contract::of::<WalletDebited>(),
        Contract::of::<WalletHoldPlaced>(),
        Contract::of::<WalletHoldCaptured>(),
        Contract::of::<WalletHoldReleased>(),
        Contract::of::<WalletHoldExpired>(),
        Contract::of::<TransactionInitiated>(),
        Contract::of::<TransactionCompleted>(),
        Contract::of::<TransactionFailed>(),
        Contract::of::<TicketCreated>(),
        Contract::of::<TicketAssigned>(),
        Contract::of::<TicketCommented>(),
        Contract::of::<TicketResolved>(),
        Contract::of::<TicketClosed>(),
        Contract::of::<DeadLetterReplayed>(),
        Contract::of::<DeadLetterDiscarded>(),
        Contract::of::<WebhookEndpointCreated>(),
        Contract::of::<WebhookEndpointUpdated>(),
        Contract::of::<WebhookEndpointEnabled>(),
        Contract::of::<WebhookEndpointDisabled>(),
        Contract::of::<WebhookEndpointDeleted>(),
        Contract::of::<WebhookEndpointSecretRotated>(),
        Contract::of::<WebhookEndpointTested>(),
        Contract::of::<WebhookEndpointResent>(),
    ]
}
