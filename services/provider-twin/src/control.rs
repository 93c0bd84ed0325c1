//! The control calls, which the real provider does not have: `POST /twin/inbound-transfers` makes money arrive,
//! `GET /twin/book` shows the book and the deliveries.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    book::{Account, BANK_CODE, Book, Category, Customer, Direction, Movement, WalletStatus},
    error::Refusal,
    extract::{Body, Params},
    faults,
    kyc::Bvn,
    money::{Kobo, Naira},
    transactions,
    transfers::new_reference,
    twin::Twin,
    webhooks,
};

/// One webhook may be sent this often.
const MOST_DELIVERIES: usize = 20;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Inbound {
    account_number: String,
    /// Naira as decimal text: `"150.00"`.
    amount: String,
    sender_name: String,
    #[serde(default = "one")]
    deliveries: usize,
}

fn one() -> usize {
    1
}

impl Inbound {
    fn amount(&self) -> Result<Kobo, Refusal> {
        Kobo::from_decimal_text(&self.amount).filter(|amount| *amount > Kobo::ZERO).ok_or_else(|| {
            Refusal::bad("amount must be naira as text with at most two decimals, above zero: \"150.00\".")
        })
    }

    fn check(&self) -> Result<(), Refusal> {
        if self.sender_name.trim().is_empty() {
            return Err(Refusal::bad("senderName must not be empty."));
        }
        if !(1..=MOST_DELIVERIES).contains(&self.deliveries) {
            return Err(Refusal::bad(format!("deliveries must be from 1 to {MOST_DELIVERIES}.")));
        }
        Ok(())
    }
}

/// Writes the movement and its deliveries into the book as one change, then sends.
pub(crate) async fn inbound(
    State(twin): State<Arc<Twin>>,
    Body(request): Body<Inbound>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let amount = request.amount()?;
    request.check()?;
    let now = twin.now();
    let reference = new_reference();
    let (customer_id, transaction_id, deliveries) = twin
        .change(|book| {
            let customer = receiver(book, &request.account_number)?;
            let customer_id = customer.id;
            let source = json!({ "accountName": request.sender_name });
            let destination = json!({
                "accountName": customer.wallet.account_name,
                "accountNumber": request.account_number,
                "bankCode": BANK_CODE,
            });
            let category = Category::WalletFundedThroughBankTransfer;
            let movement = Movement::new(Account::Customer(customer_id), Direction::Credit, category, amount)
                .named(&reference, &format!("Transfer from {}", request.sender_name))
                .between(source, destination);
            let transaction_id = book.record(movement, now)?.id;
            let data = json!({
                "reference": reference,
                "amount": amount.decimal_text(),
                "userId": customer_id,
                "type": "STATIC",
            });
            let event = ("account_funded", reference.as_str());
            Ok((customer_id, transaction_id, webhooks::enqueue(book, event, &data, request.deliveries, now)))
        })
        .await?;
    webhooks::dispatch(&twin, &deliveries);
    let answer = json!({
        "reference": reference,
        "amount": amount.decimal_text(),
        "accountNumber": request.account_number,
        "senderName": request.sender_name,
        "customerId": customer_id,
        "transactionId": transaction_id,
        "webhookDeliveries": deliveries.len(),
        "deliveryIds": deliveries,
    });
    Ok((StatusCode::CREATED, Json(answer)))
}

fn receiver<'a>(book: &'a Book, account_number: &str) -> Result<&'a Customer, Refusal> {
    let customer = book
        .by_account_number(account_number)
        .ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, "No account has this accountNumber."))?;
    if customer.wallet.status == WalletStatus::Frozen {
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "This account is frozen."));
    }
    Ok(customer)
}

#[derive(Debug, Deserialize)]
pub(crate) struct BookQuery {
    limit: Option<usize>,
}

/// At most `limit` of each list, the newest first.
pub(crate) async fn book(State(twin): State<Arc<Twin>>, Params(query): Params<BookQuery>) -> Json<Value> {
    let limit = query.limit.unwrap_or(100).min(1_000);
    let now = twin.now();
    let mode = faults::mode(&twin);
    twin.read(|book| {
        let customers: Vec<Value> = book.customers.values().rev().take(limit).map(customer_view).collect();
        let transactions: Vec<Value> =
            book.transactions.iter().rev().take(limit).map(|row| transactions::view(row, now)).collect();
        let deliveries: Vec<Value> = book.deliveries.iter().rev().take(limit).map(|one| json!(one)).collect();
        Json(json!({
            "mode": mode,
            "counts": {
                "customers": book.customers.len(),
                "transactions": book.transactions.len(),
                "deliveries": book.deliveries.len(),
                "messages": twin.mailbox.count(),
            },
            "merchant": { "balance": Naira(book.merchant.balance) },
            "customers": customers,
            "transactions": transactions,
            "deliveries": deliveries,
        }))
    })
}

fn customer_view(customer: &Customer) -> Value {
    json!({
        "id": customer.id,
        "name": customer.full_name(),
        "bvn": Bvn::parse(&customer.bvn).map(|bvn| bvn.masked()).unwrap_or_default(),
        "tier": customer.tier,
        "accountNumber": customer.wallet.account_number,
        "status": customer.wallet.status,
        "balance": Naira(customer.wallet.balance),
    })
}
