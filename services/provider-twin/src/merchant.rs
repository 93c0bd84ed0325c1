//! The merchant's own wallet: `GET /merchant/wallet` · `POST /merchant/fund-wallet` (in the sandbox only).

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    book::{Account, BANK_CODE, BANK_NAME, Book, Category, Direction, MODE, Movement},
    error::Refusal,
    extract::Body,
    money::Naira,
    transfers::new_reference,
    twin::Twin,
};

fn view(book: &Book) -> Value {
    json!({
        "bankName": BANK_NAME,
        "bankCode": BANK_CODE,
        "bookedBalance": Naira(book.merchant.balance),
        "availableBalance": Naira(book.merchant.balance),
        "currency": "NGN",
        "status": "ACTIVE",
        "mode": MODE,
    })
}

pub(crate) async fn wallet(State(twin): State<Arc<Twin>>) -> Json<Value> {
    Json(json!({ "status": true, "wallet": twin.read(view) }))
}

#[derive(Debug, Deserialize)]
pub(crate) struct Fund {
    amount: Naira,
}

pub(crate) async fn fund(
    State(twin): State<Arc<Twin>>,
    Body(request): Body<Fund>,
) -> Result<Json<Value>, Refusal> {
    let now = twin.now();
    let category = Category::WalletFundedThroughBankTransfer;
    let movement = Movement::new(Account::Merchant, Direction::Credit, category, request.amount.0)
        .named(&new_reference(), "Sandbox funding");
    let wallet = twin.change(|book| book.record(movement, now).map(drop).map(|()| view(book))).await?;
    Ok(Json(json!({ "status": true, "message": "Wallet funded successfully.", "wallet": wallet })))
}
