//! The ledger, which is wallet-service: transfers go there as one list, each with its own id, and come back decided.
//! A posting that the ledger knows is answered as the first time, so asking again is always safe.

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use common_utils::{ids::WalletId, money::Money};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::entity::{Decision, RefusalCode};
use crate::{peers::Peer, transactions::Transaction};

/// What the statements of both parties say where the sender wrote nothing.
const DESCRIPTION: &str = "Transfer";

#[derive(Debug, Serialize)]
struct Request<'a> {
    postings: Vec<Posting<'a>>,
}

/// The list is of many requests; each posting says which one it came with.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Posting<'a> {
    id: Uuid,
    #[serde(rename = "type")]
    kind: &'static str,
    description: &'a str,
    legs: [Leg; 1],
    correlation_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Leg {
    debit: Account,
    credit: Account,
    amount: Money,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Account {
    wallet_id: WalletId,
}

#[derive(Debug, Deserialize)]
struct Answer {
    results: Vec<PostingResult>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PostingResult {
    id: Uuid,
    outcome: Outcome,
    posted_at: Option<DateTime<Utc>>,
    refusal: Option<Refusal>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Posted,
    Refused,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Refusal {
    code: String,
    wallet_id: Option<WalletId>,
}

/// The same id was posted with other content. That is a defect of ours, and what the id stands for in the ledger is not
/// known here, so such a transfer is neither completed nor failed until somebody has looked.
const CONTENT_MISMATCH: &str = "content_mismatch";

#[derive(Debug, Clone)]
pub(crate) struct Ledger(Peer);

impl Ledger {
    pub(crate) fn new(wallet_service: Peer) -> Self {
        Self(wallet_service)
    }

    /// The decision on each transfer, in their order; None where there is none. An error: no decision is known.
    pub(crate) async fn post(&self, transfers: &[&Transaction]) -> anyhow::Result<Vec<Option<Decision>>> {
        let postings = transfers.iter().map(|transfer| posting(transfer)).collect::<Option<Vec<_>>>();
        let request = Request { postings: postings.context("a transfer lacks a side")? };
        let answer: Answer = self.0.post("/internal/v1/postings", &request).await?;
        let asked = transfers.iter().map(|transfer| transfer.id.uuid());
        ensure!(
            asked.eq(answer.results.iter().map(|result| result.id)),
            "the ledger answered something else"
        );
        answer.results.into_iter().map(decision).collect()
    }
}

fn posting(transfer: &Transaction) -> Option<Posting<'_>> {
    let (from, to) = transfer.from.as_ref().zip(transfer.to.as_ref())?;
    Some(Posting {
        id: transfer.id.uuid(),
        kind: transfer.kind.name(),
        description: transfer.narration.as_deref().unwrap_or(DESCRIPTION),
        legs: [Leg {
            debit: Account { wallet_id: from.wallet },
            credit: Account { wallet_id: to.wallet },
            amount: transfer.amount,
        }],
        correlation_id: &transfer.correlation_id,
        traceparent: transfer.traceparent.as_deref(),
    })
}

fn decision(result: PostingResult) -> anyhow::Result<Option<Decision>> {
    match (result.outcome, result.refusal) {
        (Outcome::Posted, _) => {
            let at = result.posted_at.context("the ledger does not say when it posted")?;
            Ok(Some(Decision::Posted { at }))
        }
        (Outcome::Refused, Some(refusal)) if refusal.code == CONTENT_MISMATCH => {
            tracing::error!(id = %result.id, "the ledger knows this transfer with other content");
            Ok(None)
        }
        (Outcome::Refused, Some(refusal)) => {
            let code = RefusalCode::from_ledger(&refusal.code);
            Ok(Some(Decision::Refused { code, wallet: refusal.wallet_id }))
        }
        (Outcome::Refused, None) => anyhow::bail!("the ledger does not say why it refused"),
    }
}
