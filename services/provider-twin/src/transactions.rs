//! The list of movements: `GET /transaction/customer` · `GET /merchant/transactions` · `GET /merchant/transaction/:reference`.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    book::{Account, Direction, MODE, Transaction},
    error::Refusal,
    extract::Params,
    money::Naira,
    paging::Paging,
    twin::Twin,
};

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum TypeFilter {
    #[default]
    All,
    Credit,
    Debit,
}

impl TypeFilter {
    fn takes(self, direction: Direction) -> bool {
        match self {
            Self::All => true,
            Self::Credit => direction == Direction::Credit,
            Self::Debit => direction == Direction::Debit,
        }
    }
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StatusFilter {
    Success,
    Pending,
    Failed,
}

impl StatusFilter {
    fn takes(self, completed: bool) -> bool {
        match self {
            Self::Success => completed,
            Self::Pending => !completed,
            // A refused movement leaves no row.
            Self::Failed => false,
        }
    }
}

pub(crate) fn view(row: &Transaction, now: DateTime<Utc>) -> Value {
    json!({
        "id": row.id,
        "category": row.category,
        "currency": "NGN",
        "amount": Naira(row.amount),
        "metadata": row.metadata,
        "balance_before": Naira(row.balance_before),
        "balance_after": Naira(row.balance_after),
        "reference": row.reference,
        "source": row.source,
        "destination": row.destination,
        "type": row.direction,
        "description": row.description,
        "completed": row.completes_at <= now,
        "mode": MODE,
        "createdAt": row.created_at,
        "updatedAt": row.completes_at.min(now),
    })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OfCustomer {
    customer_id: Uuid,
    page: Option<usize>,
    per_page: Option<usize>,
    #[serde(default, rename = "type")]
    kind: TypeFilter,
}

pub(crate) async fn of_customer(
    State(twin): State<Arc<Twin>>,
    Params(query): Params<OfCustomer>,
) -> Result<Json<Value>, Refusal> {
    let paging = Paging::new(query.page, query.per_page)?;
    let now = twin.now();
    twin.read(|book| {
        let account = Account::Customer(book.customer(query.customer_id)?.id);
        let wanted = |row: &&Transaction| row.account == account && query.kind.takes(row.direction);
        let (rows, metadata) = paging.cut(book.transactions.iter().rev().filter(wanted));
        let with_owner = |row: &Transaction| {
            let mut view = view(row, now);
            view["userId"] = json!(query.customer_id);
            view
        };
        let transactions: Vec<Value> = rows.into_iter().map(with_owner).collect();
        Ok(Json(json!({ "status": true, "transactions": transactions, "metadata": metadata })))
    })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OfMerchant {
    page: Option<usize>,
    per_page: Option<usize>,
    #[serde(default, rename = "type")]
    kind: TypeFilter,
    status: Option<StatusFilter>,
}

/// Every movement under this merchant, its customers' included.
pub(crate) async fn of_merchant(
    State(twin): State<Arc<Twin>>,
    Params(query): Params<OfMerchant>,
) -> Result<Json<Value>, Refusal> {
    let paging = Paging::new(query.page, query.per_page)?;
    let now = twin.now();
    twin.read(|book| {
        let wanted = |row: &&Transaction| {
            query.kind.takes(row.direction)
                && query.status.is_none_or(|status| status.takes(row.completes_at <= now))
        };
        let (rows, metadata) = paging.cut(book.transactions.iter().rev().filter(wanted));
        let transactions: Vec<Value> = rows.into_iter().map(|row| view(row, now)).collect();
        Ok(Json(json!({ "status": true, "transactions": transactions, "metadata": metadata })))
    })
}

/// The first row under this reference.
pub(crate) async fn by_reference(
    State(twin): State<Arc<Twin>>,
    Path(reference): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let now = twin.now();
    let found = twin.read(|book| {
        book.transactions.iter().find(|row| row.reference == reference).map(|row| view(row, now))
    });
    let transaction = found.ok_or_else(|| Refusal::bad("Transaction not found."))?;
    Ok(Json(json!({ "status": true, "transaction": transaction })))
}
