//! People's keys that were opened a moment ago, so that a call does not ask the key management service for each value. Bounded in
//! number and time; what leaves is overwritten.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};
use common_utils::ids::UserId;
use hashlink::LruCache;

use super::data_key::DataKey;

const MOST: usize = 1024;
/// An instance that did not itself erase a person reads them no longer than this.
const LIFE: TimeDelta = TimeDelta::seconds(60);

#[derive(Clone)]
pub(super) struct KeyCache(Arc<Mutex<Opened>>);

/// Each with the time until which it may be used.
type Opened = LruCache<UserId, (DataKey, DateTime<Utc>)>;

impl fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyCache").field("keys", &self.locked().len()).finish()
    }
}

impl KeyCache {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(LruCache::new(MOST))))
    }

    pub(super) fn get(&self, user: UserId, now: DateTime<Utc>) -> Option<DataKey> {
        let mut keys = self.locked();
        let (key, until) = keys.get(&user)?;
        if *until > now {
            return Some(key.clone());
        }
        keys.remove(&user);
        None
    }

    pub(super) fn put(&self, user: UserId, key: DataKey, now: DateTime<Utc>) {
        self.locked().insert(user, (key, now + LIFE));
    }

    pub(super) fn forget(&self, user: UserId) {
        self.locked().remove(&user);
    }

    /// A key that nobody asks for again would stay otherwise.
    pub(super) fn forget_old(&self, now: DateTime<Utc>) {
        self.locked().retain(|_, (_, until)| *until > now);
    }

    fn locked(&self) -> MutexGuard<'_, Opened> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_leave_after_their_time_and_when_there_are_too_many() {
        let (cache, now) = (KeyCache::new(), DateTime::UNIX_EPOCH);
        let people: Vec<UserId> = (0..=MOST).map(|_| UserId::new()).collect();
        let put = |user: UserId, at| cache.put(user, DataKey::generate(user), at);
        put(people[0], now);
        assert!(cache.get(people[0], now + LIFE - TimeDelta::seconds(1)).is_some());
        assert!(cache.get(people[0], now + LIFE).is_none());
        for user in &people {
            put(*user, now);
        }
        assert!(cache.get(people[0], now).is_none() && cache.get(people[1], now).is_some());
        assert_eq!(cache.locked().len(), MOST);
        cache.forget(people[1]);
        assert!(cache.get(people[1], now).is_none());
        put(people[0], now + LIFE);
        cache.forget_old(now + LIFE);
        assert_eq!(cache.locked().len(), 1);
    }
}
