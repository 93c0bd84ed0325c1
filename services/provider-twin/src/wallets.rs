//! Customers' wallets, each with a virtual account: made, listed, frozen.
//!
//! `POST /wallet` · `GET /wallet` · `GET /wallet/customer` · `POST /wallet/close` · `/wallet/enable`

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, NaiveDate, Utc};
use common_utils::ids::new_id;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    book::{BANK_CODE, BANK_NAME, Book, Customer, MODE, Wallet, WalletStatus},
    customers::{created_view, same_phone},
    error::Refusal,
    extract::{Body, Params},
    kyc::Bvn,
    money::{Kobo, Naira},
    paging::Paging,
    twin::Twin,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewWallet {
    bvn: String,
    first_name: String,
    last_name: String,
    date_of_birth: String,
    phone_number: String,
    email: String,
    address: Option<String>,
    #[serde(default)]
    metadata: Value,
    account_prefix: Option<String>,
}

pub(crate) async fn create(
    State(twin): State<Arc<Twin>>,
    Body(request): Body<NewWallet>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let bvn = Bvn::parse(&request.bvn)?;
    let now = twin.now();
    let customer = request.into_customer(&bvn, now)?;
    let answer = twin
        .change(|book| {
            let mut customer = customer;
            let taken = |other: &Customer| {
                other.bvn == customer.bvn
                    || same_phone(&other.phone_number, &customer.phone_number)
                    || other.email.eq_ignore_ascii_case(&customer.email)
            };
            if book.customers.values().any(taken) {
                return Err(Refusal::bad("Customer already exist."));
            }
            customer.wallet.account_number = free_account_number(book, &customer.wallet.account_number)?;
            let answer =
                json!({ "status": true, "customer": created_view(&customer), "wallet": created_wallet_view(&customer) });
            book.customers.insert(customer.id, customer);
            Ok(answer)
        })
        .await?;
    tracing::info!(bvn = ?bvn, "wallet made");
    Ok((StatusCode::CREATED, Json(answer)))
}

impl NewWallet {
    /// The customer, with the prefix in place of the account number, which only the book can choose.
    fn into_customer(self, bvn: &Bvn, now: DateTime<Utc>) -> Result<Customer, Refusal> {
        let required = [&self.first_name, &self.last_name, &self.phone_number];
        if required.iter().any(|text| text.trim().is_empty()) {
            return Err(Refusal::bad("firstName, lastName and phoneNumber are required."));
        }
        if !self.email.contains('@') {
            return Err(Refusal::bad("email is not valid."));
        }
        let date_of_birth: NaiveDate = self
            .date_of_birth
            .parse()
            .map_err(|_| Refusal::bad("dateOfBirth must be a date, YYYY-MM-DD."))?;
        let prefix = self.account_prefix.unwrap_or_else(|| "99".to_owned());
        if prefix.len() > 4 || !prefix.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Refusal::bad("accountPrefix must be at most four digits."));
        }
        let account_name = format!("{} {}", self.first_name, self.last_name).to_uppercase();
        Ok(Customer {
            id: new_id(),
            bvn: bvn.digits().to_owned(),
            first_name: self.first_name,
            last_name: self.last_name,
            date_of_birth,
            phone_number: self.phone_number,
            email: self.email,
            address: self.address,
            metadata: self.metadata,
            tier: "TIER_1".to_owned(),
            wallet: Wallet {
                id: new_id(),
                account_number: prefix,
                account_name,
                account_reference: new_id(),
                status: WalletStatus::Active,
                balance: Kobo::ZERO,
            },
            created_at: now,
            updated_at: now,
        })
    }
}

/// Ten digits that nobody has yet. Random, so that a book that was lost does not give out its numbers again.
fn free_account_number(book: &Book, prefix: &str) -> Result<String, Refusal> {
    let width = 10 - prefix.len();
    let mut candidates = std::iter::repeat_with(|| {
        let serial = rand::random_range(0..10_u64.pow(u32::try_from(width).unwrap_or(10)));
        format!("{prefix}{serial:0width$}")
    });
    candidates
        .by_ref()
        .take(100)
        .find(|number| book.by_account_number(number).is_none())
        .ok_or_else(|| Refusal::bad("No account number is free."))
}

/// What every view of a wallet shares.
fn wallet_view(customer: &Customer) -> Value {
    let wallet = &customer.wallet;
    json!({
        "id": wallet.id,
        "status": wallet.status,
        "email": customer.email,
        "firstName": customer.first_name,
        "lastName": customer.last_name,
        "bankName": BANK_NAME,
        "bankCode": BANK_CODE,
        "accountName": wallet.account_name,
        "accountNumber": wallet.account_number,
        "accountReference": wallet.account_reference,
        "bookedBalance": Naira(wallet.balance),
        "availableBalance": Naira(wallet.balance),
        "currency": "NGN",
        "mode": MODE,
        "createdAt": customer.created_at,
        "updatedAt": customer.updated_at,
    })
}

/// As the answer to `POST /wallet` shows it: there `walletId` is the customer's id.
fn created_wallet_view(customer: &Customer) -> Value {
    let mut view = wallet_view(customer);
    view["walletType"] = json!("STATIC");
    view["walletId"] = json!(customer.id);
    view["updated"] = json!(false);
    view
}

fn customer_wallet_view(customer: &Customer) -> Value {
    let mut view = wallet_view(customer);
    view["customerId"] = json!(customer.id);
    view["type"] = json!("STATIC");
    view["tier"] = json!(customer.tier);
    view["minLimit"] = json!(0);
    view["maxLimit"] = json!(300_000);
    view
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListQuery {
    page: Option<usize>,
    per_page: Option<usize>,
}

pub(crate) async fn list(
    State(twin): State<Arc<Twin>>,
    Params(query): Params<ListQuery>,
) -> Result<Json<Value>, Refusal> {
    let paging = Paging::new(query.page, query.per_page)?;
    let (wallets, metadata) = twin.read(|book| {
        let (customers, metadata) = paging.cut(book.customers.values());
        (customers.into_iter().map(wallet_view).collect::<Vec<_>>(), metadata)
    });
    Ok(Json(json!({ "status": true, "wallets": wallets, "metadata": metadata })))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OfCustomer {
    customer_id: Uuid,
}

pub(crate) async fn of_customer(
    State(twin): State<Arc<Twin>>,
    Params(query): Params<OfCustomer>,
) -> Result<Json<Value>, Refusal> {
    let wallet = twin.read(|book| book.customer(query.customer_id).map(customer_wallet_view))?;
    Ok(Json(json!({ "status": true, "wallet": wallet })))
}

pub(crate) async fn close(
    State(twin): State<Arc<Twin>>,
    Body(request): Body<OfCustomer>,
) -> Result<Json<Value>, Refusal> {
    set_status(&twin, request.customer_id, WalletStatus::Frozen).await?;
    Ok(Json(json!({ "status": true, "message": "Wallet has been closed." })))
}

pub(crate) async fn enable(
    State(twin): State<Arc<Twin>>,
    Body(request): Body<OfCustomer>,
) -> Result<Json<Value>, Refusal> {
    set_status(&twin, request.customer_id, WalletStatus::Active).await?;
    Ok(Json(json!({ "status": true, "message": "Wallet has been enabled." })))
}

async fn set_status(twin: &Twin, id: Uuid, status: WalletStatus) -> Result<(), Refusal> {
    let now = twin.now();
    twin.change(|book| {
        let customer = book.customer_mut(id)?;
        customer.wallet.status = status;
        customer.updated_at = now;
        Ok(())
    })
    .await
}
