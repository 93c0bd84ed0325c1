//! Customers as support sees them.

use chrono::{DateTime, Utc};
use common_utils::{http::paging::Page, ids::UserId};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::repo::{AccountRow, TransactionRow, UserRow, WalletRow};
use crate::tickets::view::TicketView;

/// A profile, its contacts masked.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SupportUser)]
pub(crate) struct PersonView {
    id: Uuid,
    #[schema(example = "a***@example.com")]
    email: String,
    #[schema(example = "+234******0001")]
    phone_number: String,
    first_name: String,
    last_name: String,
    kyc_tier: i16,
    roles: Vec<String>,
    #[schema(example = "active")]
    status: String,
    created_at: DateTime<Utc>,
    /// When the event happened that told this.
    as_of: DateTime<Utc>,
}

/// What is posted, as of the last entry that has been heard of. Money set aside is part of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SupportBalance)]
struct BalanceView {
    #[schema(example = "NGN")]
    currency: String,
    /// Minor units.
    posted: i64,
    /// The number of that entry.
    sequence: i64,
    as_of: DateTime<Utc>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SupportVirtualAccount)]
struct AccountView {
    /// Its last four digits.
    #[schema(example = "******1234")]
    account_number: String,
    account_name: String,
    bank_name: String,
    bank_code: String,
    provider: String,
    issued_at: DateTime<Utc>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SupportWallet)]
pub(crate) struct WalletView {
    id: Uuid,
    user_id: Uuid,
    #[schema(example = "NGN")]
    currency: String,
    name: Option<String>,
    /// `active`, `frozen` or `closed`.
    #[schema(example = "active")]
    status: String,
    /// While it is frozen: which direction is shut, `in`, `out` or `both`.
    freeze: Option<String>,
    /// Why the status changed, where somebody gave a reason.
    reason: Option<String>,
    /// Null before the first entry.
    balance: Option<BalanceView>,
    virtual_accounts: Vec<AccountView>,
    created_at: DateTime<Utc>,
    /// When the event happened that told the status.
    as_of: DateTime<Utc>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SupportMoney)]
struct MoneyView {
    /// Minor units.
    amount: i64,
    #[schema(example = "NGN")]
    currency: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SupportCounterparty)]
struct CounterpartyView {
    #[schema(example = "Ada Obi")]
    name: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SupportTransaction)]
pub(crate) struct TransactionView {
    id: Uuid,
    #[serde(rename = "type")]
    #[schema(example = "transfer")]
    kind: String,
    #[schema(example = "completed")]
    status: String,
    amount: MoneyView,
    fee: MoneyView,
    from_wallet_id: Option<Uuid>,
    to_wallet_id: Option<Uuid>,
    from_user_id: Option<Uuid>,
    to_user_id: Option<Uuid>,
    /// In somebody's list the other side; else who sent money from a bank.
    counterparty: Option<CounterpartyView>,
    #[schema(example = "TRF-0199F3A26C1D")]
    reference: String,
    /// The stable code of the refusal, when it failed.
    failure: Option<String>,
    created_at: DateTime<Utc>,
    completed_at: Option<DateTime<Utc>>,
    /// When the event happened that told this.
    as_of: DateTime<Utc>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SupportUserDetails)]
pub(crate) struct UserDetails {
    user: PersonView,
    wallets: Vec<WalletView>,
    /// The newest 20. `nextCursor` is for `/api/v1/admin/users/{id}/transactions`.
    transactions: Page<TransactionView>,
    /// The newest 20 that they asked for; all are at `/api/v1/admin/tickets?requesterId=`.
    tickets: Vec<TicketView>,
    /// When the newest of the events happened that told all this. It is as fresh as the events that have arrived.
    as_of: DateTime<Utc>,
}

/// Both sides of a transaction, as far as they are customers.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SupportParties)]
pub(crate) struct PartiesView {
    pub(super) from: Option<PersonView>,
    pub(super) to: Option<PersonView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SupportTransactionDetails)]
pub(crate) struct TransactionDetails {
    transaction: TransactionView,
    parties: PartiesView,
    wallets: Vec<WalletView>,
    /// The newest 20 about this transaction.
    tickets: Vec<TicketView>,
    /// When the newest of the events happened that told all this.
    as_of: DateTime<Utc>,
}

impl From<&UserRow> for PersonView {
    fn from(row: &UserRow) -> Self {
        Self {
            id: row.user_id,
            email: row.email_masked.clone(),
            phone_number: row.phone_masked.clone(),
            first_name: row.first_name.clone(),
            last_name: row.last_name.clone(),
            kyc_tier: row.kyc_tier,
            roles: row.roles.clone(),
            status: row.status.clone(),
            created_at: row.created_at,
            as_of: row.as_of,
        }
    }
}

impl WalletView {
    /// Takes its own out of `accounts`.
    pub(super) fn new(row: WalletRow, accounts: &[AccountRow]) -> Self {
        let own = accounts.iter().filter(|account| account.wallet_id == row.wallet_id);
        let virtual_accounts = own.map(AccountView::from).collect();
        let balance = match (row.posted, row.sequence, row.posted_as_of) {
            (Some(posted), Some(sequence), Some(as_of)) => {
                Some(BalanceView { currency: row.currency.clone(), posted, sequence, as_of })
            }
            _ => None,
        };
        Self {
            id: row.wallet_id,
            user_id: row.user_id,
            currency: row.currency,
            name: row.name,
            status: row.status,
            freeze: row.frozen,
            reason: row.reason,
            balance,
            virtual_accounts,
            created_at: row.created_at,
            as_of: row.as_of,
        }
    }

    fn newest(&self) -> DateTime<Utc> {
        self.balance.as_ref().map_or(self.as_of, |balance| balance.as_of.max(self.as_of))
    }
}

impl From<&AccountRow> for AccountView {
    fn from(row: &AccountRow) -> Self {
        Self {
            account_number: row.account_number_masked.clone(),
            account_name: row.account_name.clone(),
            bank_name: row.bank_name.clone(),
            bank_code: row.bank_code.clone(),
            provider: row.provider.clone(),
            issued_at: row.issued_at,
        }
    }
}

impl TransactionView {
    /// From nobody's side.
    pub(super) fn of(mut row: TransactionRow) -> Self {
        let name = row.outside_name.take();
        Self::new(row, name)
    }

    /// In the list of `user`.
    pub(super) fn seen_by(mut row: TransactionRow, user: UserId) -> Self {
        let sent = row.from_user_id == Some(user.uuid());
        let other = if sent { row.to_name.take() } else { row.from_name.take() };
        let name = other.or_else(|| row.outside_name.take());
        Self::new(row, name)
    }

    fn new(row: TransactionRow, counterparty: Option<String>) -> Self {
        Self {
            id: row.transaction_id,
            kind: row.kind,
            status: row.status,
            amount: MoneyView { amount: row.amount, currency: row.currency },
            fee: MoneyView { amount: row.fee, currency: row.fee_currency },
            from_wallet_id: row.from_wallet_id,
            to_wallet_id: row.to_wallet_id,
            from_user_id: row.from_user_id,
            to_user_id: row.to_user_id,
            counterparty: counterparty.map(|name| CounterpartyView { name }),
            reference: row.reference,
            failure: row.failure,
            created_at: row.created_at,
            completed_at: row.completed_at,
            as_of: row.as_of,
        }
    }
}

impl UserDetails {
    pub(super) fn new(
        user: PersonView,
        wallets: Vec<WalletView>,
        transactions: Page<TransactionView>,
        tickets: Vec<TicketView>,
    ) -> Self {
        let moved = transactions.items.iter().map(|transaction| transaction.as_of);
        let as_of = wallets.iter().map(WalletView::newest).chain(moved).fold(user.as_of, Ord::max);
        Self { user, wallets, transactions, tickets, as_of }
    }
}

impl TransactionDetails {
    pub(super) fn new(
        transaction: TransactionView,
        parties: PartiesView,
        wallets: Vec<WalletView>,
        tickets: Vec<TicketView>,
    ) -> Self {
        let people = [&parties.from, &parties.to].into_iter().flatten().map(|person| person.as_of);
        let as_of = wallets.iter().map(WalletView::newest).chain(people).fold(transaction.as_of, Ord::max);
        Self { transaction, parties, wallets, tickets, as_of }
    }
}
