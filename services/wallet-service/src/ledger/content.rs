//! The fingerprint of a posting: over everything that decides what moves and what the account's owner reads.

use chrono::{DateTime, Utc};
use common_utils::money::Money;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::posting::{AccountRef, Action, Capture, Leg, PostingType, Share};

/// What was hashed once must be hashed alike for ever: a retry years later is compared with it.
pub(super) fn hash(kind: PostingType, description: &str, action: &Action, group: Option<Uuid>) -> [u8; 32] {
    let mut content = Content(Sha256::new());
    content.text(kind.name());
    content.text(description);
    content.action(action);
    if let Some(group) = group {
        content.text("group");
        content.text(&group.to_string());
    }
    content.0.finalize().into()
}

struct Content(Sha256);

impl Content {
    /// Every part is written with its length before it, so no two contents are written alike.
    fn text(&mut self, part: &str) {
        self.0.update(part.len().to_be_bytes());
        self.0.update(part.as_bytes());
    }

    fn action(&mut self, action: &Action) {
        match action {
            Action::Move(legs) => legs.iter().for_each(|leg| self.leg(leg)),
            Action::Hold { account, amount, expires_at } => {
                self.text("hold");
                self.account(account);
                self.money(*amount);
                self.time(*expires_at);
            }
            Action::Capture { hold, to } => {
                self.text("capture");
                self.text(&hold.to_string());
                match to {
                    Capture::Whole { to, currency } => {
                        self.text("whole");
                        self.account(to);
                        self.text(currency.code());
                    }
                    Capture::Part { to, release_rest } => {
                        self.text(if *release_rest { "release" } else { "keep" });
                        self.shares(to);
                    }
                }
            }
            Action::Release { hold } => {
                self.text("release");
                self.text(&hold.to_string());
            }
            Action::Reverse { posting } => {
                self.text("reverse");
                self.text(&posting.to_string());
            }
            Action::Refund { posting, from } => {
                self.text("refund");
                self.text(&posting.to_string());
                self.shares(from);
            }
        }
    }

    fn leg(&mut self, leg: &Leg) {
        self.account(&leg.debit);
        self.account(&leg.credit);
        self.money(leg.amount);
    }

    fn shares(&mut self, shares: &[Share]) {
        for share in shares {
            self.account(&share.account);
            self.money(share.amount);
        }
    }

    fn account(&mut self, account: &AccountRef) {
        match account {
            AccountRef::Wallet(id) => self.text(&id.to_string()),
            AccountRef::Platform(account) => self.text(&account.to_string()),
        }
    }

    fn money(&mut self, money: Money) {
        self.0.update(money.amount.to_be_bytes());
        self.text(money.currency.code());
    }

    fn time(&mut self, time: DateTime<Utc>) {
        self.0.update(time.timestamp_micros().to_be_bytes());
    }
}
