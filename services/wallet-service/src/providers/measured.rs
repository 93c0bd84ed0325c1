//! Counts, times and bounds every call to a provider, so that no adapter has to.

use std::{future::Future, time::Duration};

use async_trait::async_trait;
use axum::http::HeaderMap;
use metrics::{counter, describe_counter, describe_histogram, histogram};
use tokio::time::Instant;

use super::{
    IssuedAccount, Person, ProviderError, ProviderTransaction, SignatureError, WalletProvider, WebhookMessage,
};
use crate::SERVICE;

/// No call takes longer, its repetitions included.
pub const CALL_DEADLINE: Duration = Duration::from_secs(45);

const REQUESTS: &str = "wallet_provider_requests_total";
const DURATION: &str = "wallet_provider_request_duration_seconds";
const OPERATIONS: [&str; 3] = ["issue_account", "find_account", "transaction"];
const OUTCOMES: [&str; 6] = ["ok", "not_found", "already_exists", "refused", "unavailable", "unexpected"];

#[derive(Debug)]
pub(super) struct Measured(Box<dyn WalletProvider>);

impl Measured {
    pub(super) fn new(provider: Box<dyn WalletProvider>) -> Self {
        describe_counter!(REQUESTS, "Calls to a provider, by operation and outcome.");
        describe_histogram!(DURATION, "How long a call to a provider took, its repetitions included.");
        for operation in OPERATIONS {
            for outcome in OUTCOMES {
                requests(provider.name(), operation, outcome).increment(0);
            }
        }
        Self(provider)
    }

    async fn measure<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, ProviderError>>,
        outcome_of: impl FnOnce(&T) -> &'static str,
    ) -> Result<T, ProviderError> {
        let started = Instant::now();
        let result = tokio::time::timeout(CALL_DEADLINE, call)
            .await
            .unwrap_or_else(|_| Err(ProviderError::Unavailable("the deadline passed".to_owned())));
        let outcome = result.as_ref().map_or_else(ProviderError::outcome, outcome_of);
        requests(self.name(), operation, outcome).increment(1);
        histogram!(DURATION, "service" => SERVICE, "provider" => self.name(), "operation" => operation)
            .record(started.elapsed());
        result
    }
}

fn requests(provider: &'static str, operation: &'static str, outcome: &'static str) -> metrics::Counter {
    counter!(REQUESTS, "service" => SERVICE, "provider" => provider, "operation" => operation, "outcome" => outcome)
}

fn presence(found: bool) -> &'static str {
    if found { "ok" } else { "not_found" }
}

#[async_trait]
impl WalletProvider for Measured {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    async fn issue_account(&self, person: &Person) -> Result<IssuedAccount, ProviderError> {
        self.measure("issue_account", self.0.issue_account(person), |_| "ok").await
    }

    async fn find_account(&self, person: &Person) -> Result<Option<IssuedAccount>, ProviderError> {
        self.measure("find_account", self.0.find_account(person), |account| presence(account.is_some())).await
    }

    async fn transaction(&self, reference: &str) -> Result<Option<ProviderTransaction>, ProviderError> {
        self.measure("transaction", self.0.transaction(reference), |row| presence(row.is_some())).await
    }

    fn verify_webhook(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), SignatureError> {
        self.0.verify_webhook(headers, body)
    }

    fn read_webhook(&self, body: &[u8]) -> Result<WebhookMessage, ProviderError> {
        self.0.read_webhook(body)
    }

    fn webhook_answer(&self) -> serde_json::Value {
        self.0.webhook_answer()
    }
}
