//! Counts in this process. Only the running minute is kept, and of it a bounded number of names.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// Names counted in one minute. Above it, new names are let through uncounted: each has its own count anyway, so
/// whoever can make up so many was never held by a limit.
const NAMES: usize = 100_000;

#[derive(Debug, Default)]
pub(crate) struct Local(Mutex<Minute>);

#[derive(Debug, Default)]
struct Minute {
    window: i64,
    counts: HashMap<String, u32>,
}

impl Local {
    /// See [`super::Store::count`].
    pub(super) fn count(&self, identifier: &str, window: i64, limit: u32) -> u32 {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if minute.window != window {
            *minute = Minute { window, counts: HashMap::new() };
        }
        if let Some(count) = minute.counts.get_mut(identifier) {
            let used = *count;
            if used < limit {
                *count = used.saturating_add(1);
            }
            return used;
        }
        if minute.counts.len() < NAMES {
            minute.counts.insert(identifier.to_owned(), 1);
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_name_and_minute_and_not_what_was_refused() {
        let local = Local::default();
        let used: Vec<_> = (0..4).map(|_| local.count("ada", 0, 2)).collect();
        assert_eq!(used, [0, 1, 2, 2]);
        assert_eq!(local.count("bola", 0, 2), 0);
        assert_eq!(local.count("ada", 60, 2), 0);
    }

    #[test]
    fn the_number_of_names_is_bounded() {
        let local = Local::default();
        for name in 0..NAMES + 10 {
            local.count(&name.to_string(), 0, 1);
        }
        assert_eq!(local.0.lock().unwrap().counts.len(), NAMES);
    }
}
