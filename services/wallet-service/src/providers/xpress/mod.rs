//! Xpress Wallet of Providus Bank. Amounts are naira; a refusal is HTTP 400 with a message; what is not found is one
//! of those; webhooks are signed with HMAC-SHA512 over the raw body.

mod client;
mod config;
mod signature;
mod wire;

use async_trait::async_trait;
use axum::http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

pub use config::Config;
pub use signature::HEADER as SIGNATURE_HEADER;

use super::{
    IssuedAccount, Person, ProviderError, ProviderTransaction, SignatureError, WalletProvider,
    WebhookMessage, checked_reference,
};
use client::Client;

/// As the bank behind it is known.
pub const NAME: &str = "providus";

#[derive(Debug)]
pub struct XpressWallet {
    client: Client,
    webhook_secret: SecretString,
}

impl XpressWallet {
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        Ok(Self { client: Client::new(config)?, webhook_secret: config.webhook_secret.clone() })
    }
}

#[async_trait]
impl WalletProvider for XpressWallet {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn issue_account(&self, person: &Person) -> Result<IssuedAccount, ProviderError> {
        let request = wire::NewWallet::of(person, person.bvn.expose_secret());
        let created = self.client.post::<wire::Created>(self.client.address(&["wallet"]), &request).await;
        match created {
            Ok(created) => created.into_account(),
            Err(ProviderError::Refused(message)) if says(&message, "already exist") => {
                Err(ProviderError::AlreadyExists)
            }
            Err(error) => Err(error),
        }
    }

    async fn find_account(&self, person: &Person) -> Result<Option<IssuedAccount>, ProviderError> {
        let mut by_phone = self.client.address(&["customer", "phone"]);
        by_phone.query_pairs_mut().append_pair("phoneNumber", &person.phone_number);
        let Some(wire::ByPhone { customer }) = found(self.client.get(by_phone).await)? else {
            return Ok(None);
        };
        if !customer.is(person) {
            return Err(ProviderError::Refused("the phone number is that of another customer".to_owned()));
        }
        let mut wallet = self.client.address(&["wallet", "customer"]);
        wallet.query_pairs_mut().append_pair("customerId", &customer.id);
        let wallet: Option<wire::OfCustomer> = found(self.client.get(wallet).await)?;
        wallet.map(|wallet| wallet.into_account(&customer.id)).transpose()
    }

    async fn transaction(&self, reference: &str) -> Result<Option<ProviderTransaction>, ProviderError> {
        let reference = checked_reference(reference)?;
        let address = self.client.address(&["merchant", "transaction", reference]);
        let row: Option<wire::ByReference> = found(self.client.get(address).await)?;
        row.map(|row| row.into_transaction(reference)).transpose()
    }

    fn verify_webhook(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), SignatureError> {
        signature::verify(&self.webhook_secret, headers, body)
    }

    fn read_webhook(&self, body: &[u8]) -> Result<WebhookMessage, ProviderError> {
        wire::Notice::read(body)
    }

    fn webhook_answer(&self) -> serde_json::Value {
        json!({ "status": true })
    }
}

/// It has no code for this, only words.
fn says(message: &str, words: &str) -> bool {
    message.to_lowercase().contains(words)
}

/// A refusal that says "not found" is an answer.
fn found<T>(result: Result<T, ProviderError>) -> Result<Option<T>, ProviderError> {
    match result {
        Ok(answer) => Ok(Some(answer)),
        Err(ProviderError::Refused(message)) if says(&message, "not found") => Ok(None),
        Err(error) => Err(error),
    }
}
