//! The provider's own book: the merchant, its customers with a wallet each, and every movement of money.
//!
//! Invariants: no balance goes below zero; every change of a balance is a [`Transaction`] with the balance before
//! and after; a refused change leaves the book as it was. Everything here is decided without waiting.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::{error::Refusal, money::Kobo, webhooks::Delivery};

/// The bank behind every virtual account.
pub(crate) const BANK_NAME: &str = "Providus Bank";
pub(crate) const BANK_CODE: &str = "000023";
/// The twin is the provider's sandbox.
pub(crate) const MODE: &str = "SANDBOX";

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Book {
    pub(crate) merchant: Merchant,
    pub(crate) customers: BTreeMap<Uuid, Customer>,
    /// Oldest first.
    pub(crate) transactions: Vec<Transaction>,
    pub(crate) deliveries: VecDeque<Delivery>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Merchant {
    pub(crate) balance: Kobo,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Customer {
    pub(crate) id: Uuid,
    pub(crate) bvn: String,
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    pub(crate) date_of_birth: NaiveDate,
    pub(crate) phone_number: String,
    pub(crate) email: String,
    pub(crate) address: Option<String>,
    pub(crate) metadata: Value,
    pub(crate) tier: String,
    pub(crate) wallet: Wallet,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
}

impl Customer {
    pub(crate) fn full_name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Wallet {
    pub(crate) id: Uuid,
    pub(crate) account_number: String,
    pub(crate) account_name: String,
    pub(crate) account_reference: Uuid,
    pub(crate) status: WalletStatus,
    pub(crate) balance: Kobo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum WalletStatus {
    Active,
    Frozen,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Direction {
    Credit,
    Debit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Category {
    CreditCustomerWallet,
    DebitCustomerWallet,
    WalletCreditedByMerchant,
    WalletDebitedByMerchant,
    BankTransfer,
    CustomerBankTransfer,
    WalletToWalletTransfer,
    WalletFundedThroughBankTransfer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Account {
    Merchant,
    Customer(Uuid),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Transaction {
    pub(crate) id: Uuid,
    pub(crate) account: Account,
    pub(crate) category: Category,
    pub(crate) direction: Direction,
    pub(crate) amount: Kobo,
    pub(crate) balance_before: Kobo,
    pub(crate) balance_after: Kobo,
    pub(crate) reference: String,
    pub(crate) source: Value,
    pub(crate) destination: Value,
    pub(crate) description: String,
    pub(crate) metadata: Value,
    pub(crate) created_at: DateTime<Utc>,
    /// A pending payout completes by itself at this time.
    pub(crate) completes_at: DateTime<Utc>,
}

/// A change of one balance, before it is decided.
#[derive(Debug, Clone)]
pub(crate) struct Movement {
    pub(crate) account: Account,
    pub(crate) category: Category,
    pub(crate) direction: Direction,
    pub(crate) amount: Kobo,
    /// What a payout costs beside its amount.
    pub(crate) fee: Kobo,
    pub(crate) reference: String,
    pub(crate) source: Value,
    pub(crate) destination: Value,
    pub(crate) description: String,
    pub(crate) metadata: Value,
    pub(crate) completes_at: DateTime<Utc>,
}

impl Movement {
    pub(crate) fn new(account: Account, direction: Direction, category: Category, amount: Kobo) -> Self {
        Self {
            account,
            category,
            direction,
            amount,
            fee: Kobo::ZERO,
            reference: String::new(),
            source: Value::Null,
            destination: Value::Null,
            description: String::new(),
            metadata: Value::Null,
            completes_at: DateTime::UNIX_EPOCH,
        }
    }

    pub(crate) fn named(mut self, reference: &str, description: &str) -> Self {
        reference.clone_into(&mut self.reference);
        description.clone_into(&mut self.description);
        self
    }

    pub(crate) fn with_metadata(mut self, metadata: &Value) -> Self {
        self.metadata = metadata.clone();
        self
    }

    pub(crate) fn between(mut self, source: Value, destination: Value) -> Self {
        self.source = source;
        self.destination = destination;
        self
    }
}

impl Book {
    pub(crate) fn customer(&self, id: Uuid) -> Result<&Customer, Refusal> {
        self.customers.get(&id).ok_or_else(|| Refusal::bad("Customer not found."))
    }

    pub(crate) fn customer_mut(&mut self, id: Uuid) -> Result<&mut Customer, Refusal> {
        self.customers.get_mut(&id).ok_or_else(|| Refusal::bad("Customer not found."))
    }

    pub(crate) fn by_account_number(&self, account_number: &str) -> Option<&Customer> {
        self.customers.values().find(|customer| customer.wallet.account_number == account_number)
    }

    pub(crate) fn reference_exists(&self, reference: &str) -> bool {
        self.transactions.iter().any(|transaction| transaction.reference == reference)
    }

    /// Moves money on one account, or refuses and changes nothing.
    pub(crate) fn record(&mut self, movement: Movement, now: DateTime<Utc>) -> Result<&Transaction, Refusal> {
        let (balance_before, balance_after) = self.decide(&movement)?;
        match movement.account {
            Account::Merchant => self.merchant.balance = balance_after,
            Account::Customer(id) => self.customer_mut(id)?.wallet.balance = balance_after,
        }
        let index = self.transactions.len();
        self.transactions.push(Transaction {
            id: common_utils::ids::new_id(),
            account: movement.account,
            category: movement.category,
            direction: movement.direction,
            amount: movement.amount,
            balance_before,
            balance_after,
            reference: movement.reference,
            source: movement.source,
            destination: movement.destination,
            description: movement.description,
            metadata: movement.metadata,
            created_at: now,
            completes_at: movement.completes_at.max(now),
        });
        Ok(&self.transactions[index])
    }

    /// Moves money from one account to another, or refuses and changes neither.
    pub(crate) fn record_pair(
        &mut self,
        from: Movement,
        to: Movement,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        self.decide(&from)?;
        self.decide(&to)?;
        self.record(from, now)?;
        self.record(to, now)?;
        Ok(())
    }

    /// The balance before and after, if the account may take this movement.
    fn decide(&self, movement: &Movement) -> Result<(Kobo, Kobo), Refusal> {
        let before = match movement.account {
            Account::Merchant => self.merchant.balance,
            Account::Customer(id) => {
                let wallet = &self.customer(id)?.wallet;
                if wallet.status == WalletStatus::Frozen {
                    return Err(Refusal::bad("Wallet is not active."));
                }
                wallet.balance
            }
        };
        if movement.amount <= Kobo::ZERO {
            return Err(Refusal::bad("Amount must be greater than zero."));
        }
        let after = match movement.direction {
            Direction::Credit => before.checked_add(movement.amount),
            Direction::Debit => {
                movement.amount.checked_add(movement.fee).and_then(|total| before.checked_sub(total))
            }
        };
        let after = after.ok_or_else(|| Refusal::bad("Amount is too large."))?;
        if after < Kobo::ZERO {
            return Err(Refusal::bad("Insufficient balance."));
        }
        Ok((before, after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credit(amount: i64) -> Movement {
        Movement::new(Account::Merchant, Direction::Credit, Category::CreditCustomerWallet, Kobo::new(amount))
    }

    fn debit(amount: i64) -> Movement {
        Movement { direction: Direction::Debit, ..credit(amount) }
    }

    #[test]
    fn a_refused_movement_changes_nothing() {
        let mut book = Book::default();
        let now = DateTime::UNIX_EPOCH;
        book.record(credit(100), now).unwrap();
        assert!(book.record(debit(101), now).is_err());
        assert!(book.record(debit(0), now).is_err());
        assert!(book.record(credit(i64::MAX), now).is_err());
        let stranger = Movement { account: Account::Customer(Uuid::nil()), ..credit(1) };
        assert!(book.record_pair(debit(1), stranger, now).is_err());
        assert_eq!((book.merchant.balance, book.transactions.len()), (Kobo::new(100), 1));
    }

    #[test]
    fn a_fee_is_taken_beside_the_amount() {
        let mut book = Book::default();
        let now = DateTime::UNIX_EPOCH;
        book.record(credit(100), now).unwrap();
        let with_fee = |amount| Movement { fee: Kobo::new(10), ..debit(amount) };
        assert!(book.record(with_fee(91), now).is_err());
        let row = book.record(with_fee(90), now).unwrap();
        assert_eq!(
            (row.amount, row.balance_before, row.balance_after),
            (Kobo::new(90), Kobo::new(100), Kobo::ZERO)
        );
    }
}
