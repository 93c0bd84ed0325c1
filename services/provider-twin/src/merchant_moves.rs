//! The merchant moves money between its own wallet and a customer's: `POST /wallet/credit` · `POST /wallet/debit`.
//!
//! Each is two rows under the client's reference, which is taken once: one on the customer's wallet, one on the
//! merchant's.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    book::{Account, Book, Category, Direction, Movement},
    error::Refusal,
    extract::Body,
    money::Naira,
    twin::Twin,
    webhooks,
};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MerchantMove {
    amount: Naira,
    reference: String,
    customer_id: Uuid,
    #[serde(default)]
    metadata: Value,
}

impl MerchantMove {
    /// The row of the customer and the row of the merchant, under one reference.
    fn rows(&self, customer: Direction) -> (Movement, Movement) {
        let (merchant, of_customer, of_merchant, words) = match customer {
            Direction::Credit => (
                Direction::Debit,
                Category::WalletCreditedByMerchant,
                Category::CreditCustomerWallet,
                "Wallet credited by merchant",
            ),
            Direction::Debit => (
                Direction::Credit,
                Category::WalletDebitedByMerchant,
                Category::DebitCustomerWallet,
                "Wallet debited by merchant",
            ),
        };
        let row = |account, direction, category| {
            Movement::new(account, direction, category, self.amount.0)
                .named(&self.reference, words)
                .with_metadata(&self.metadata)
        };
        (
            row(Account::Customer(self.customer_id), customer, of_customer),
            row(Account::Merchant, merchant, of_merchant),
        )
    }

    fn check_reference(&self, book: &Book) -> Result<(), Refusal> {
        if self.reference.trim().is_empty() {
            return Err(Refusal::bad("reference is required."));
        }
        if book.reference_exists(&self.reference) {
            return Err(Refusal::bad("Duplicate reference."));
        }
        Ok(())
    }
}

pub(crate) async fn credit(
    State(twin): State<Arc<Twin>>,
    Body(request): Body<MerchantMove>,
) -> Result<Json<Value>, Refusal> {
    let now = twin.now();
    let (customer, merchant) = request.rows(Direction::Credit);
    let deliveries = twin
        .change(|book| {
            request.check_reference(book)?;
            book.record_pair(merchant, customer, now)?;
            let data = json!({
                "amount": request.amount,
                "reference": request.reference,
                "customer_id": request.customer_id,
                "metadata": request.metadata,
                "transaction_fee": 0,
            });
            Ok(webhooks::enqueue(book, ("customer_wallet_credited", &request.reference), &data, 1, now))
        })
        .await?;
    webhooks::dispatch(&twin, &deliveries);
    Ok(Json(json!({
        "status": true,
        "message": "Wallet credited successfully.",
        "reference": request.reference,
        "amount": request.amount,
    })))
}

pub(crate) async fn debit(
    State(twin): State<Arc<Twin>>,
    Body(request): Body<MerchantMove>,
) -> Result<Json<Value>, Refusal> {
    let now = twin.now();
    let (customer, merchant) = request.rows(Direction::Debit);
    let wallet_id = twin
        .change(|book| {
            request.check_reference(book)?;
            book.record_pair(customer, merchant, now)?;
            Ok(book.customer(request.customer_id)?.wallet.id)
        })
        .await?;
    Ok(Json(json!({
        "status": true,
        "message": "Wallet debited successfully.",
        "data": {
            "amount": request.amount,
            "reference": request.reference,
            "customer_id": request.customer_id,
            "metadata": request.metadata,
            "transaction_fee": 0,
            "customer_wallet_id": wallet_id,
        },
    })))
}
