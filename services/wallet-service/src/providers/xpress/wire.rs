//! The shapes of Xpress Wallet, as far as we read and write them. What is not listed is ignored: it may grow.

use chrono::NaiveDate;
use common_utils::{ids::UserId, money::Currency};
use serde::{Deserialize, Serialize};

use crate::providers::{
    IssuedAccount, Naira, Person, ProviderError, ProviderTransaction, WebhookMessage, checked_reference, text,
};

const LONGEST_NAME: usize = 200;
/// A Nigerian account number.
const ACCOUNT_DIGITS: usize = 10;
/// The category of money that comes from a bank.
const INBOUND: &str = "WALLET_FUNDED_THROUGH_BANK_TRANSFER";

/// `POST /wallet`
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewWallet<'a> {
    pub(super) bvn: &'a str,
    first_name: &'a str,
    last_name: &'a str,
    date_of_birth: NaiveDate,
    phone_number: &'a str,
    email: &'a str,
    metadata: Metadata,
}

/// What we put at a customer, to know them again.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata {
    user_id: UserId,
}

impl<'a> NewWallet<'a> {
    pub(super) fn of(person: &'a Person, bvn: &'a str) -> Self {
        Self {
            bvn,
            first_name: &person.first_name,
            last_name: &person.last_name,
            date_of_birth: person.date_of_birth,
            phone_number: &person.phone_number,
            email: &person.email,
            metadata: Metadata { user_id: person.user_id },
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Created {
    customer: CreatedCustomer,
    wallet: Wallet,
}

#[derive(Deserialize)]
struct CreatedCustomer {
    id: String,
}

impl Created {
    pub(super) fn into_account(self) -> Result<IssuedAccount, ProviderError> {
        self.wallet.into_account(&self.customer.id)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wallet {
    account_number: String,
    account_name: String,
    bank_name: String,
    bank_code: String,
}

impl Wallet {
    fn into_account(self, customer_id: &str) -> Result<IssuedAccount, ProviderError> {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let account = IssuedAccount {
            customer_id: text::plain(customer_id, LONGEST_NAME),
            account_number: self.account_number,
            account_name: text::plain(&self.account_name, LONGEST_NAME),
            bank_name: text::plain(&self.bank_name, LONGEST_NAME),
            bank_code: text::plain(&self.bank_code, LONGEST_NAME),
        };
        let whole = account.account_number.len() == ACCOUNT_DIGITS
            && digits(&account.account_number)
            && !account.customer_id.is_empty();
        if whole {
            Ok(account)
        } else {
            Err(ProviderError::Unexpected("no account number or customer".to_owned()))
        }
    }
}

/// `GET /wallet/customer`
#[derive(Deserialize)]
pub(super) struct OfCustomer {
    wallet: Wallet,
}

impl OfCustomer {
    pub(super) fn into_account(self, customer_id: &str) -> Result<IssuedAccount, ProviderError> {
        self.wallet.into_account(customer_id)
    }
}

/// `GET /customer/phone`
#[derive(Deserialize)]
pub(super) struct ByPhone {
    pub(super) customer: Customer,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Customer {
    pub(super) id: String,
    first_name: String,
    last_name: String,
    date_of_birth: Option<NaiveDate>,
    metadata: Option<serde_json::Value>,
}

impl Customer {
    /// A phone number changes hands. It is this person when we made the customer for them; where nobody says for
    /// whom it was made, when name and date of birth are theirs.
    pub(super) fn is(&self, person: &Person) -> bool {
        let made_for = self.metadata.as_ref().and_then(|metadata| metadata.get("userId"));
        if let Some(id) = made_for {
            return id.as_str() == Some(person.user_id.to_string().as_str());
        }
        let same = |left: &str, right: &str| left.trim().to_lowercase() == right.trim().to_lowercase();
        self.date_of_birth == Some(person.date_of_birth)
            && same(&self.first_name, &person.first_name)
            && same(&self.last_name, &person.last_name)
    }
}

/// `GET /merchant/transaction/:reference`
#[derive(Deserialize)]
pub(super) struct ByReference {
    transaction: Transaction,
}

#[derive(Deserialize)]
struct Transaction {
    reference: String,
    category: String,
    currency: String,
    amount: Naira,
    #[serde(rename = "type")]
    direction: String,
    completed: bool,
    source: Option<Party>,
    destination: Option<Party>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Party {
    account_name: Option<String>,
    account_number: Option<String>,
}

impl ByReference {
    pub(super) fn into_transaction(self, asked: &str) -> Result<ProviderTransaction, ProviderError> {
        let row = self.transaction;
        if row.reference != asked {
            return Err(ProviderError::Unexpected("another transaction than the one asked for".to_owned()));
        }
        if row.currency != Currency::NGN.code() {
            return Err(ProviderError::Unexpected("a currency other than the naira".to_owned()));
        }
        let sender = row.source.and_then(|party| party.account_name);
        Ok(ProviderTransaction {
            reference: row.reference,
            amount: row.amount.0,
            inbound: row.direction == "CREDIT" && row.category == INBOUND,
            completed: row.completed,
            account_number: row.destination.and_then(|party| party.account_number),
            sender_name: sender.map(|name| text::plain(&name, LONGEST_NAME)).filter(|name| !name.is_empty()),
        })
    }
}

/// A webhook: what kind it is, and data that depend on it.
#[derive(Deserialize)]
pub(super) struct Notice {
    event: String,
    #[serde(default)]
    data: serde_json::Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Funded {
    reference: String,
    amount: Naira,
    user_id: String,
}

#[derive(Deserialize)]
struct FundedNotice {
    data: Funded,
}

impl Notice {
    pub(super) fn read(body: &[u8]) -> Result<WebhookMessage, ProviderError> {
        let notice: Self = super::client::parse(body)?;
        if notice.event != "account_funded" || notice.data.is_null() {
            return Ok(WebhookMessage::Other { event: text::plain(&notice.event, 60) });
        }
        let FundedNotice { data } = super::client::parse(body)?;
        checked_reference(&data.reference)?;
        let customer_id = text::plain(&data.user_id, LONGEST_NAME);
        Ok(WebhookMessage::Funded { reference: data.reference, amount: data.amount.0, customer_id })
    }
}
