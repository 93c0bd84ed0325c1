//! Payouts to banks and transfers between customers' wallets:
//! `POST /transfer/bank` · `POST /transfer/bank/customer` · `POST /transfer/wallet`.
//!
//! None takes a reference of the client: the provider makes it, and the client finds its own in the metadata. Of the
//! destination's account number the last two digits decide: `88` fails and moves nothing, `77` stays pending for a
//! while, `00` does not exist, all others succeed at once.

use std::sync::Arc;

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use common_utils::ids::new_id;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    banks::account_name,
    book::{Account, BANK_CODE, Category, Direction, Movement},
    error::Refusal,
    extract::Body,
    money::{Kobo, Naira},
    twin::Twin,
};

/// A reference of the provider's own making.
pub(crate) fn new_reference() -> String {
    format!("XPW{}", new_id().simple()).to_uppercase()
}

/// NIP session: sender's institution, time, twelve random digits.
fn session_id(now: DateTime<Utc>) -> String {
    format!("{BANK_CODE}{}{:012}", now.format("%y%m%d%H%M%S"), rand::random_range(0..1_000_000_000_000_u64))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BankTransfer {
    amount: Naira,
    sort_code: String,
    #[serde(default)]
    narration: String,
    account_number: String,
    account_name: Option<String>,
    #[serde(default)]
    metadata: Value,
    customer_id: Option<Uuid>,
}

pub(crate) async fn from_merchant(
    State(twin): State<Arc<Twin>>,
    Body(request): Body<BankTransfer>,
) -> Result<Json<Value>, Refusal> {
    pay_out(&twin, request, Account::Merchant, Category::BankTransfer).await
}

pub(crate) async fn from_customer(
    State(twin): State<Arc<Twin>>,
    Body(request): Body<BankTransfer>,
) -> Result<Json<Value>, Refusal> {
    let id = request.customer_id.ok_or_else(|| Refusal::bad("customerId is required."))?;
    pay_out(&twin, request, Account::Customer(id), Category::CustomerBankTransfer).await
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Success,
    Pending,
    Failed,
}

impl Fate {
    fn of(account_number: &str) -> Self {
        match account_number.get(8..) {
            Some("77") => Self::Pending,
            Some("88") => Self::Failed,
            _ => Self::Success,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Pending => "pending",
            Self::Failed => "failed",
        }
    }
}

/// What a payout costs: the NIP charge by amount, and 7.5 % VAT on it, half a kobo rounded up.
fn cost(amount: Kobo) -> (Kobo, Kobo) {
    let charge = match amount.minor() {
        ..500_000 => 1_000,
        500_000..=5_000_000 => 2_500,
        _ => 5_000,
    };
    (Kobo::new(charge), Kobo::new((charge * 75 + 500) / 1_000))
}

async fn pay_out(
    twin: &Twin,
    request: BankTransfer,
    account: Account,
    category: Category,
) -> Result<Json<Value>, Refusal> {
    let now = twin.now();
    let fate = Fate::of(&request.account_number);
    let (charges, vat) = cost(request.amount.0);
    let too_large = || Refusal::bad("Amount is too large.");
    let fee = charges.checked_add(vat).ok_or_else(too_large)?;
    let total = request.amount.0.checked_add(fee).ok_or_else(too_large)?;
    let reference = new_reference();
    let transfer = json!({
        "amount": request.amount,
        "charges": Naira(charges),
        "vat": Naira(vat),
        "total": Naira(total),
        "reference": reference,
        "status": fate.word(),
        "sessionID": session_id(now),
        "transactionReference": reference,
        "transactionId": new_id(),
        "description": request.narration,
        "destination": {
            "bankCode": request.sort_code,
            "accountNumber": request.account_number,
            "accountName": request.account_name,
        },
        "metadata": request.metadata,
    });
    let completes_at = if fate == Fate::Pending { now + twin.config.payout_pending } else { now };
    let movement = Movement {
        fee,
        completes_at,
        ..Movement::new(account, Direction::Debit, category, request.amount.0)
            .named(&reference, &request.narration)
            .between(Value::Null, transfer["destination"].clone())
            .with_metadata(&request.metadata)
    };
    twin.change(|book| {
        account_name(book, &request.sort_code, &request.account_number)?;
        if fate == Fate::Failed {
            return Err(Refusal::failed_transfer(&transfer));
        }
        book.record(movement, now).map(drop)
    })
    .await?;
    Ok(Json(json!({ "status": true, "message": "Transfer processed.", "transfer": transfer })))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WalletTransfer {
    amount: Naira,
    from_customer_id: Uuid,
    to_customer_id: Uuid,
}

pub(crate) async fn between_wallets(
    State(twin): State<Arc<Twin>>,
    Body(request): Body<WalletTransfer>,
) -> Result<Json<Value>, Refusal> {
    if request.from_customer_id == request.to_customer_id {
        return Err(Refusal::bad("A wallet cannot transfer to itself."));
    }
    let now = twin.now();
    let reference = new_reference();
    let row = |customer, direction| {
        Movement::new(
            Account::Customer(customer),
            direction,
            Category::WalletToWalletTransfer,
            request.amount.0,
        )
        .named(&reference, "Wallet to wallet transfer")
    };
    let data = twin
        .change(|book| {
            let source = row(request.from_customer_id, Direction::Debit);
            book.record_pair(source, row(request.to_customer_id, Direction::Credit), now)?;
            let (source, target) =
                (book.customer(request.from_customer_id)?, book.customer(request.to_customer_id)?);
            Ok(json!({
                "reference": reference,
                "amount": request.amount,
                "transaction_fee": 0,
                "total": request.amount,
                "source_customer_id": source.id,
                "source_customer_wallet": source.wallet.id,
                "target_customer_id": target.id,
                "target_customer_wallet": target.wallet.id,
            }))
        })
        .await?;
    Ok(Json(json!({ "status": true, "message": "Transfer successful.", "data": data })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payout_costs_by_its_amount() {
        let cost = |minor| {
            let (charge, vat) = cost(Kobo::new(minor));
            (charge.minor(), vat.minor())
        };
        assert_eq!(cost(499_999), (1_000, 75));
        assert_eq!(cost(500_000), (2_500, 188));
        assert_eq!(cost(5_000_000), (2_500, 188));
        assert_eq!(cost(5_000_001), (5_000, 375));
    }
}
