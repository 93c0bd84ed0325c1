//! The ledger: double entry, append-only, exact.
//!
//! Where what is: `posting` says what can be asked for and `outcome` what is answered; `rules/` decides, on a `book`,
//! without I/O; `batch` decides a whole list; `engine` gathers, locks, writes and commits, and its head comment is
//! the way of a posting from arrival to answer; `repo/` has all the SQL; `history` reads; `verify` recomputes everything,
//! and `self_check` does so every now and then.
//! Beside them: `misfit` says what is malformed, `content` fingerprints, `account` and `hold` are what they are called, `expiry`
//! ends holds that nobody touches, `status` freezes, closes and bounds, `events` turns entries into public events.

mod account;
mod batch;
mod book;
mod content;
mod engine;
mod error;
mod events;
mod expiry;
mod history;
mod hold;
pub(crate) mod metrics;
mod misfit;
mod outcome;
mod posting;
mod repo;
pub(crate) mod routes;
mod rules;
mod self_check;
mod status;
pub mod verify;

pub use account::{
    Account, AccountId, AccountStatus, Bounds, Freeze, PlatformAccount, PlatformIds, PublicStatus, Standing,
    UnknownPlatformAccount,
};
pub use engine::Ledger;
pub use error::LedgerError;
pub(crate) use expiry::Expiry;
pub use history::{Entry, Order, PastBalance, Statement, balance_at, entries, statement};
pub use outcome::{Outcome, PostingResult, Refusal, RefusalCode};
pub use posting::{
    AccountRef, Action, Capture, Leg, MAX_DESCRIPTION, MAX_LEGS, Origin, Posting, PostingType, Share,
};
pub use repo::{open_customer_account_in_op, set_intake_ceilings_in_op};
pub use rules::Direction;
pub use self_check::SelfCheck;
pub use status::{Bounded, StatusChange, set_bounds_in_op, set_status_in_op};
