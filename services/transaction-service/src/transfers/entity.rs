//! A transfer before the ledger has decided it: what was asked for, between whom, and the rules that need no ledger.

use chrono::{DateTime, Utc};
use common_utils::{
    contact::{Email, PhoneNumber},
    ids::{TransactionId, UserId, WalletId},
    money::Money,
    telemetry::trace_context,
};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    directory::Wallet,
    transactions::{Failure, OverLimit, Party, Status, Transaction, TransactionType, reference},
    transfers::TransferError,
};

/// How the recipient is named. In serialised form it is part of a request's fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Recipient {
    Wallet(WalletId),
    AccountNumber(String),
    Phone(PhoneNumber),
    Email(Email),
}

impl Serialize for Recipient {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Wallet(id) => ("walletId", id).serialize(serializer),
            Self::AccountNumber(number) => ("accountNumber", number).serialize(serializer),
            Self::Phone(phone) => ("phoneNumber", phone.as_str()).serialize(serializer),
            Self::Email(email) => ("email", email.as_str()).serialize(serializer),
        }
    }
}

/// What a client asks for. Its amount is positive, its currency open, its words fit to be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct TransferRequest {
    pub(crate) from: WalletId,
    pub(crate) to: Recipient,
    pub(crate) amount: Money,
    pub(crate) narration: Option<String>,
}

/// What can be seen to be wrong without asking the ledger.
pub(crate) fn check(request: &TransferRequest, from: &Wallet, to: &Wallet) -> Result<(), TransferError> {
    if from.id == to.id {
        return Err(TransferError::SameWallet);
    }
    for wallet in [from, to] {
        if wallet.currency != request.amount.currency {
            return Err(TransferError::CurrencyMismatch(wallet.currency));
        }
    }
    Ok(())
}

/// Everything that a new transfer needs beside the request.
#[derive(Debug)]
pub(crate) struct Parties {
    pub(crate) from: Party,
    pub(crate) to: Party,
}

/// The transfer as it is first written.
pub(crate) fn initiated(
    request: TransferRequest,
    parties: Parties,
    api_key: Option<Uuid>,
    correlation_id: String,
    now: DateTime<Utc>,
    leased_until: DateTime<Utc>,
) -> Transaction {
    let id = TransactionId::new();
    Transaction {
        id,
        kind: TransactionType::Transfer,
        status: Status::Initiated,
        amount: request.amount,
        fee: Money::new(0, request.amount.currency),
        from: Some(parties.from),
        to: Some(parties.to),
        outside_name: None,
        narration: request.narration,
        reference: reference("TRF", id),
        failure: None,
        over_limit: None,
        correlation_id,
        traceparent: trace_context::traceparent(),
        api_key,
        leased_until: Some(leased_until),
        created_at: now,
        completed_at: None,
    }
}

/// Why the ledger refused a transfer, as clients know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefusalCode {
    InsufficientFunds,
    WalletFrozen,
    WalletClosed,
    CurrencyMismatch,
    WalletNotFound,
    LimitExceeded,
    /// The ledger gave a reason that this version does not know.
    Other,
}

impl RefusalCode {
    const ALL: [Self; 7] = [
        Self::InsufficientFunds,
        Self::WalletFrozen,
        Self::WalletClosed,
        Self::CurrencyMismatch,
        Self::WalletNotFound,
        Self::LimitExceeded,
        Self::Other,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::InsufficientFunds => "insufficient_funds",
            Self::WalletFrozen => "wallet_frozen",
            Self::WalletClosed => "wallet_closed",
            Self::CurrencyMismatch => "currency_mismatch",
            Self::WalletNotFound => "wallet_not_found",
            Self::LimitExceeded => "limit_exceeded",
            Self::Other => "transfer_refused",
        }
    }

    /// The code of a failure that was written down.
    pub(crate) fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|code| code.name() == name).unwrap_or(Self::Other)
    }

    /// From the ledger's own word for it.
    pub(crate) fn from_ledger(code: &str) -> Self {
        match code {
            "insufficient_funds" => Self::InsufficientFunds,
            "wallet_frozen" => Self::WalletFrozen,
            "wallet_closed" => Self::WalletClosed,
            "currency_mismatch" => Self::CurrencyMismatch,
            "account_not_found" => Self::WalletNotFound,
            "overflow" | "ceiling_exceeded" => Self::LimitExceeded,
            _ => Self::Other,
        }
    }
}

/// What was decided of one transfer: by the ledger, if its limits let it go there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    Posted {
        at: DateTime<Utc>,
    },
    Refused {
        code: RefusalCode,
        wallet: Option<WalletId>,
    },
    /// The ledger was not asked.
    OverLimit(OverLimit),
}

/// The failure that is written down and told to the sender, for a refusal because of `wallet`.
pub(crate) fn failure(transaction: &Transaction, code: RefusalCode, wallet: Option<WalletId>) -> Failure {
    let recipients = transaction.to.as_ref().is_some_and(|party| Some(party.wallet) == wallet);
    let whose = if recipients { "The recipient's wallet" } else { "Your wallet" };
    let message = match code {
        RefusalCode::InsufficientFunds => "Your wallet holds less than this transfer needs.".to_owned(),
        RefusalCode::WalletFrozen => format!("{whose} is frozen."),
        RefusalCode::WalletClosed => format!("{whose} is closed."),
        RefusalCode::CurrencyMismatch => format!("{whose} holds another currency."),
        RefusalCode::WalletNotFound => format!("{whose} has no account."),
        RefusalCode::LimitExceeded => format!("{whose} cannot hold that much."),
        RefusalCode::Other => "The transfer was refused.".to_owned(),
    };
    Failure { code: code.name().to_owned(), message }
}

/// Whether a command took effect now, or had before. Retrying is safe either way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Settled {
    Executed(Transaction),
    AlreadyApplied(Transaction),
}

impl Settled {
    pub(crate) fn transaction(&self) -> &Transaction {
        match self {
            Self::Executed(transaction) | Self::AlreadyApplied(transaction) => transaction,
        }
    }

    pub(crate) fn into_inner(self) -> Transaction {
        match self {
            Self::Executed(transaction) | Self::AlreadyApplied(transaction) => transaction,
        }
    }
}

/// The person who sends it.
pub(crate) fn sender(transaction: &Transaction) -> Option<UserId> {
    transaction.from.as_ref().map(|party| party.user)
}

#[cfg(test)]
mod tests {
    use common_utils::money::Currency;

    use super::*;

    fn wallet(currency: Currency) -> Wallet {
        Wallet { id: WalletId::new(), user: UserId::new(), currency, created_at: DateTime::UNIX_EPOCH }
    }

    fn request(amount: Money, to: &Wallet) -> TransferRequest {
        TransferRequest { from: WalletId::new(), to: Recipient::Wallet(to.id), amount, narration: None }
    }

    #[test]
    fn money_goes_between_two_wallets_of_its_currency() {
        let (naira, other, dollars) = (wallet(Currency::NGN), wallet(Currency::NGN), wallet(Currency::USD));
        let check = |from, to: &Wallet| check(&request(Money::new(1, Currency::NGN), to), from, to);
        assert!(check(&naira, &other).is_ok());
        assert!(matches!(check(&naira, &naira), Err(TransferError::SameWallet)));
        assert!(matches!(check(&naira, &dollars), Err(TransferError::CurrencyMismatch(_))));
        assert!(matches!(check(&dollars, &naira), Err(TransferError::CurrencyMismatch(_))));
    }

    #[test]
    fn a_failure_says_whose_wallet_it_was() {
        let party = || Party { wallet: WalletId::new(), user: UserId::new(), name: None };
        let parties = Parties { from: party(), to: party() };
        let to = parties.to.wallet;
        let request = request(Money::new(1, Currency::NGN), &wallet(Currency::NGN));
        let now = DateTime::UNIX_EPOCH;
        let transaction = initiated(request, parties, None, String::new(), now, now);
        let told = |wallet| failure(&transaction, RefusalCode::WalletFrozen, wallet).message;
        assert_eq!(told(Some(to)), "The recipient's wallet is frozen.");
        assert_eq!(told(None), "Your wallet is frozen.");
    }

    #[test]
    fn codes_are_read_back() {
        for code in RefusalCode::ALL {
            assert_eq!(RefusalCode::named(code.name()), code);
        }
    }

    #[test]
    fn recipients_of_two_kinds_have_two_fingerprints() {
        let written = |recipient: &Recipient| serde_json::to_string(recipient).unwrap();
        let phone = Recipient::Phone("0803 123 4567".parse().unwrap());
        assert_eq!(written(&phone), r#"["phoneNumber","+2348031234567"]"#);
        assert_ne!(written(&phone), written(&Recipient::AccountNumber("+2348031234567".to_owned())));
    }
}
