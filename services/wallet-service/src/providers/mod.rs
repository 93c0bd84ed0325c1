//! The provider port: what the platform asks of a bank or payment provider that issues account numbers and takes
//! money in. One adapter a provider implements [`WalletProvider`]; [`Providers`] knows them by name.
//!
//! What the port promises to the rest of the service:
//! - every call ends within [`measured::CALL_DEADLINE`], is counted and timed;
//! - an error says what to do about it ([`ProviderError`]): try again, or let a person look;
//! - amounts are whole minor units, texts are free of control characters and of bounded length;
//! - nothing personal is in an error, a log line or a `Debug` text.

mod amount;
pub mod config;
mod measured;
mod person;
mod registry;
mod text;
pub mod xpress;

use std::fmt::Debug;

use async_trait::async_trait;
use axum::http::HeaderMap;
use common_utils::money::Money;

pub use amount::{AmountError, Naira};
pub use measured::CALL_DEADLINE;
pub use person::Person;
pub use registry::{Provider, Providers};

/// Longer references are nobody's, and do not fit into our tables.
const LONGEST_REFERENCE: usize = 200;

/// A bank or payment provider.
#[async_trait]
pub trait WalletProvider: Debug + Send + Sync {
    /// Its name in our database, routes and metrics; never changes.
    fn name(&self) -> &'static str;

    /// Makes the person a customer with an account number. [`ProviderError::AlreadyExists`] when they are one, by
    /// an earlier call whose answer was lost, or by other means: then ask [`Self::find_account`].
    async fn issue_account(&self, person: &Person) -> Result<IssuedAccount, ProviderError>;

    /// The account that this person, and nobody else, has at the provider.
    async fn find_account(&self, person: &Person) -> Result<Option<IssuedAccount>, ProviderError>;

    /// The provider's own record of a movement; the only thing on which money is credited.
    async fn transaction(&self, reference: &str) -> Result<Option<ProviderTransaction>, ProviderError>;

    /// Tells whether the provider signed this body, in constant time.
    fn verify_webhook(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), SignatureError>;

    /// What a body says whose signature was right.
    fn read_webhook(&self, body: &[u8]) -> Result<WebhookMessage, ProviderError>;

    /// The body that the provider takes for "received".
    fn webhook_answer(&self) -> serde_json::Value;
}

/// An account number at a bank, and whose it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedAccount {
    pub customer_id: String,
    pub account_number: String,
    pub account_name: String,
    pub bank_name: String,
    pub bank_code: String,
}

/// A movement as the provider has it in its book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderTransaction {
    pub reference: String,
    pub amount: Money,
    /// Money that came from a bank into a customer's account.
    pub inbound: bool,
    pub completed: bool,
    /// The account that received it.
    pub account_number: Option<String>,
    pub sender_name: Option<String>,
}

/// What a webhook says. It is a hint: the provider is asked before anything is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookMessage {
    /// Money came in for a customer.
    Funded { reference: String, amount: Money, customer_id: String },
    /// Something that we do not act on.
    Other { event: String },
}

/// Why a provider did not do what was asked. The texts are safe to keep: see `text::redacted`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// It knows this person already.
    #[error("the person is a customer already")]
    AlreadyExists,
    /// It says no; asking the same again will hardly change that.
    #[error("refused: {0}")]
    Refused(String),
    /// It did not answer, or not now. Whether it did what was asked is not known.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// It answered something that is not in its contract.
    #[error("unexpected answer: {0}")]
    Unexpected(String),
}

impl ProviderError {
    /// As a label of metrics.
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::AlreadyExists => "already_exists",
            Self::Refused(_) => "refused",
            Self::Unavailable(_) => "unavailable",
            Self::Unexpected(_) => "unexpected",
        }
    }
}

/// Why a webhook is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("the signature is missing")]
    Missing,
    #[error("the signature is wrong")]
    Wrong,
}

/// A reference that can be put into an address and into our tables.
fn checked_reference(reference: &str) -> Result<&str, ProviderError> {
    let fits = (1..=LONGEST_REFERENCE).contains(&reference.len())
        && reference.bytes().all(|byte| byte.is_ascii_graphic())
        && !matches!(reference, "." | "..");
    if fits {
        Ok(reference)
    } else {
        Err(ProviderError::Unexpected("the reference is no reference".to_owned()))
    }
}
