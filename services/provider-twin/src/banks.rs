//! The bank directory and the name enquiry: `GET /transfer/banks` · `GET /transfer/account/details`.
//!
//! An account at this bank answers with its real name. Of other accounts the last two digits decide: `00` is
//! unknown, all others have a name made from the number.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    book::{BANK_CODE, Book},
    error::Refusal,
    extract::Params,
    twin::Twin,
};

/// NIP institution codes.
const BANKS: [(&str, &str); 16] = [
    ("000001", "Sterling Bank"),
    ("000002", "Keystone Bank"),
    ("000003", "First City Monument Bank"),
    ("000004", "United Bank for Africa"),
    ("000007", "Fidelity Bank"),
    ("000008", "Polaris Bank"),
    ("000010", "Ecobank"),
    ("000012", "Stanbic IBTC Bank"),
    ("000013", "Guaranty Trust Bank"),
    ("000014", "Access Bank"),
    ("000015", "Zenith Bank"),
    ("000016", "First Bank of Nigeria"),
    ("000017", "Wema Bank"),
    ("000018", "Union Bank"),
    (BANK_CODE, "Providus Bank"),
    ("090267", "Kuda Microfinance Bank"),
];

pub(crate) async fn list() -> Json<Value> {
    let banks: Vec<Value> = BANKS.iter().map(|(code, name)| json!({ "code": code, "name": name })).collect();
    Json(json!({ "status": true, "banks": banks }))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Enquiry {
    sort_code: String,
    account_number: String,
}

pub(crate) async fn account_details(
    State(twin): State<Arc<Twin>>,
    Params(query): Params<Enquiry>,
) -> Result<Json<Value>, Refusal> {
    let name = twin.read(|book| account_name(book, &query.sort_code, &query.account_number))?;
    Ok(Json(json!({
        "status": true,
        "account": {
            "bankCode": query.sort_code,
            "accountName": name,
            "accountNumber": query.account_number,
        },
    })))
}

/// The name that this account stands under, or the refusal that an enquiry gets.
pub(crate) fn account_name(book: &Book, sort_code: &str, account_number: &str) -> Result<String, Refusal> {
    if !BANKS.iter().any(|(code, _)| *code == sort_code) {
        return Err(Refusal::bad("Bank not found."));
    }
    if account_number.len() != 10 || !account_number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::bad("accountNumber must have ten digits."));
    }
    if sort_code == BANK_CODE
        && let Some(customer) = book.by_account_number(account_number)
    {
        return Ok(customer.wallet.account_name.clone());
    }
    if account_number.ends_with("00") {
        return Err(Refusal::bad("Could not resolve account name."));
    }
    let odd = account_number.bytes().fold(0_u8, |sum, digit| sum ^ digit) & 1 == 1;
    Ok(format!("{} HOLDER {}", if odd { "ADA" } else { "BOLA" }, &account_number[6..]))
}
