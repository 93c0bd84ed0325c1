//! What the writer remembers of accounts.

use hashlink::LruCache;

use crate::ledger::{Account, AccountId};

/// Some 15 MB.
const ACCOUNTS: usize = 50_000;
/// Batches that are decided under lock at most before memory is tried again.
const WARIEST: u32 = 64;

/// Accounts as they were when this process last saw them. What is remembered may be wrong at any time: another instance, or a
/// transaction of another part of this one, may have changed it. Where that shows itself again and again, memory
/// stands back, twice as long each time.
#[derive(Debug)]
pub(super) struct Memory {
    accounts: LruCache<AccountId, Account>,
    /// How long to stand back when it is wrong the next time.
    wary: u32,
    standing_back: u32,
}

impl Default for Memory {
    fn default() -> Self {
        Self { accounts: LruCache::new(ACCOUNTS), wary: 1, standing_back: 0 }
    }
}

impl Memory {
    /// What is remembered of these accounts, and which are not; None while it stands back.
    pub(super) fn recall(&mut self, wanted: &[AccountId]) -> Option<(Vec<Account>, Vec<AccountId>)> {
        if self.standing_back > 0 {
            self.standing_back -= 1;
            return None;
        }
        let (mut found, mut missing) = (Vec::with_capacity(wanted.len()), Vec::new());
        for id in wanted {
            match self.accounts.get(id) {
                Some(account) => found.push(account.clone()),
                None => missing.push(*id),
            }
        }
        Some((found, missing))
    }

    /// How these stand now.
    pub(super) fn learn<'a>(&mut self, accounts: impl IntoIterator<Item = &'a Account>) {
        for account in accounts {
            self.accounts.insert(account.id, account.clone());
        }
    }

    pub(super) fn was_right(&mut self) {
        self.wary = 1;
    }

    pub(super) fn was_wrong(&mut self, about: &[AccountId]) {
        self.forget(about);
        self.standing_back = self.wary;
        self.wary = (self.wary * 2).min(WARIEST);
    }

    pub(super) fn forget(&mut self, accounts: &[AccountId]) {
        for id in accounts {
            self.accounts.remove(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_back_longer_each_time_that_it_is_wrong() {
        let mut memory = Memory::default();
        let tries_until_it_answers =
            |memory: &mut Memory| (0..1_000).take_while(|_| memory.recall(&[]).is_none()).count();
        let mut stood_back = Vec::new();
        for _ in 0..9 {
            memory.was_wrong(&[]);
            stood_back.push(tries_until_it_answers(&mut memory));
        }
        assert_eq!(stood_back, [1, 2, 4, 8, 16, 32, 64, 64, 64]);
        memory.was_right();
        memory.was_wrong(&[]);
        assert_eq!(tries_until_it_answers(&mut memory), 1);
    }
}
