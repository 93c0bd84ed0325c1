//! What the ledger can be asked for, in the plain words of the model.

pub(crate) type Id = u64;
/// In seconds.
pub(crate) type Time = i64;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Coin {
    Ngn,
    Usd,
}

/// Who takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Party {
    Wallet(u8),
    /// Belongs to the owners; may go below zero, as `Position` may.
    Equity,
    Fee,
    /// What was paid in one currency waits here for what was got in the other.
    Position,
}

/// Wallets 0 to 3 hold naira, 4 and 5 dollars. There is no wallet 6.
pub(crate) const WALLETS: u8 = 6;

pub(crate) fn home(wallet: u8) -> Option<Coin> {
    match wallet {
        0..=3 => Some(Coin::Ngn),
        4..WALLETS => Some(Coin::Usd),
        _ => None,
    }
}

/// A wallet has one account, the platform one in each currency.
pub(crate) type Account = (Party, Coin);

/// The code of a refusal, as other services read it.
pub(crate) type Code = &'static str;

/// The account that is meant, if it is in this currency.
pub(crate) fn the(party: Party, coin: Coin) -> Result<Account, Code> {
    match party {
        Party::Wallet(wallet) => match home(wallet) {
            None => Err("account_not_found"),
            Some(home) if home != coin => Err("currency_mismatch"),
            Some(home) => Ok((party, home)),
        },
        _ => Ok((party, coin)),
    }
}

/// # Panics
/// Where there is no such wallet.
pub(crate) fn of_wallet(number: u8) -> Account {
    (Party::Wallet(number), home(number).unwrap())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    pub party: Party,
    pub coin: Coin,
    pub amount: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leg {
    pub from: Party,
    pub to: Party,
    pub coin: Coin,
    pub amount: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Deed {
    Move(Vec<Leg>),
    Hold { on: Part, until: Time },
    Capture { hold: Id, to: Vec<Part>, release_rest: bool },
    CaptureAll { hold: Id, to: Party, coin: Coin },
    Release { hold: Id },
    Reverse { posting: Id },
    Refund { posting: Id, from: Vec<Part> },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub id: Id,
    pub deed: Deed,
    pub group: Option<Id>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Active,
    FrozenIn,
    FrozenOut,
    Frozen,
    Closed,
}
