//! Customers: `GET /customer/:id` · `GET /customer/phone?phoneNumber=` · `PUT /customer/:id` (also the tier upgrade).

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    book::{Customer, MODE},
    error::Refusal,
    extract::{Body, Params},
    kyc::Bvn,
    twin::Twin,
};

const TIERS: [&str; 3] = ["TIER_1", "TIER_2", "TIER_3"];

/// Digits of a number after the country code or the trunk zero.
const SUBSCRIBER_DIGITS: usize = 10;

/// `+2348020000001` and `08020000001` are one phone.
pub(crate) fn same_phone(left: &str, right: &str) -> bool {
    let tail = |number: &str| {
        let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
        digits[digits.len().saturating_sub(SUBSCRIBER_DIGITS)..].to_vec()
    };
    tail(left) == tail(right)
}

fn view(customer: &Customer) -> Value {
    json!({
        "id": customer.id,
        "firstName": customer.first_name,
        "lastName": customer.last_name,
        "email": customer.email,
        "phoneNumber": customer.phone_number,
        "dateOfBirth": customer.date_of_birth,
        "address": customer.address,
        "currency": "NGN",
        "tier": customer.tier,
        "metadata": customer.metadata,
        "mode": MODE,
        "walletId": customer.wallet.id,
        "createdAt": customer.created_at,
        "updatedAt": customer.updated_at,
    })
}

/// As the answer to `POST /wallet` shows it, with what the BVN check found.
pub(crate) fn created_view(customer: &Customer) -> Value {
    let name_match = Bvn::parse(&customer.bvn).is_ok_and(|bvn| !bvn.names_differ());
    let mut view = view(customer);
    view["bvn"] = json!(customer.bvn);
    view["nameMatch"] = json!(name_match);
    if let Some(fields) = view.as_object_mut() {
        fields.remove("walletId");
    }
    view
}

pub(crate) async fn by_id(
    State(twin): State<Arc<Twin>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let id = parse_id(&id)?;
    let customer = twin.read(|book| book.customer(id).map(view))?;
    Ok(Json(json!({ "status": true, "customer": customer })))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ByPhone {
    phone_number: String,
}

pub(crate) async fn by_phone(
    State(twin): State<Arc<Twin>>,
    Params(query): Params<ByPhone>,
) -> Result<Json<Value>, Refusal> {
    let found = twin.read(|book| {
        book.customers
            .values()
            .find(|customer| same_phone(&customer.phone_number, &query.phone_number))
            .map(view)
    });
    let customer = found.ok_or_else(|| Refusal::bad("Customer not found."))?;
    Ok(Json(json!({ "status": true, "customer": customer })))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Changes {
    first_name: Option<String>,
    last_name: Option<String>,
    address: Option<String>,
    phone_number: Option<String>,
    metadata: Option<Value>,
    tier: Option<String>,
}

pub(crate) async fn update(
    State(twin): State<Arc<Twin>>,
    Path(id): Path<String>,
    Body(changes): Body<Changes>,
) -> Result<Json<Value>, Refusal> {
    let id = parse_id(&id)?;
    if changes.tier.as_ref().is_some_and(|tier| !TIERS.contains(&tier.as_str())) {
        return Err(Refusal::bad("tier must be TIER_1, TIER_2 or TIER_3."));
    }
    let now = twin.now();
    let customer = twin
        .change(|book| {
            let phone_taken = |customer: &Customer| {
                customer.id != id
                    && changes
                        .phone_number
                        .as_ref()
                        .is_some_and(|phone| same_phone(phone, &customer.phone_number))
            };
            if book.customers.values().any(phone_taken) {
                return Err(Refusal::bad("Customer already exist."));
            }
            let customer = book.customer_mut(id)?;
            changes.apply(customer);
            customer.wallet.account_name = customer.full_name().to_uppercase();
            customer.updated_at = now;
            Ok(view(customer))
        })
        .await?;
    Ok(Json(json!({ "status": true, "message": "Customer updated successfully.", "customer": customer })))
}

impl Changes {
    fn apply(self, customer: &mut Customer) {
        fn set<T>(field: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *field = value;
            }
        }
        set(&mut customer.first_name, self.first_name);
        set(&mut customer.last_name, self.last_name);
        set(&mut customer.phone_number, self.phone_number);
        set(&mut customer.metadata, self.metadata);
        set(&mut customer.tier, self.tier);
        set(&mut customer.address, self.address.map(Some));
    }
}

fn parse_id(text: &str) -> Result<Uuid, Refusal> {
    text.parse().map_err(|_| Refusal::bad("Customer not found."))
}

#[cfg(test)]
mod tests {
    use super::same_phone;

    #[test]
    fn a_phone_is_the_same_in_every_writing() {
        assert!(same_phone("+2348020000001", "08020000001"));
        assert!(same_phone(" 234 802 000 0001", "8020000001"));
        assert!(!same_phone("08020000001", "08020000002"));
    }
}
