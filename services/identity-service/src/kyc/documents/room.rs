//! Room in memory for documents that are on their way: a file is in memory, about three times, from its first byte until it is stored
//! encrypted. Who comes when there is no room is refused before a byte of the file is read; nobody waits in line, and no other call needs
//! room. A file takes as much as its `Content-Length` says, and one that does not say takes that of the largest. It is given back when
//! the call has ended, which is after half a minute at the latest, and what was made of the file is encrypted.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};
use common_utils::http::{Input, Problem};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::content::LARGEST;
use crate::{app::AppState, kyc::cases::metrics};

const KIB: usize = 1024;

/// Counted in KiB.
#[derive(Debug, Clone)]
pub(crate) struct Rooms(Arc<Semaphore>);

/// Room for one file, until it and its copies are dropped.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    _taken: Arc<OwnedSemaphorePermit>,
}

impl Rooms {
    pub(crate) fn new(mebibytes: u16) -> Self {
        Self(Arc::new(Semaphore::new(usize::from(mebibytes) * KIB)))
    }

    /// None when there is not as much.
    fn take(&self, bytes: Option<usize>) -> Option<Room> {
        let kib = bytes.unwrap_or(LARGEST).min(LARGEST).div_ceil(KIB);
        let taken = Arc::clone(&self.0).try_acquire_many_owned(u32::try_from(kib).ok()?).ok()?;
        Some(Room { _taken: Arc::new(taken) })
    }
}

fn told_size(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl Input for Room {}

impl FromRequestParts<AppState> for Room {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        state.cases.rooms.take(told_size(&parts.headers)).ok_or_else(|| {
            metrics::upload_refused();
            tracing::warn!("no room for another document that is uploaded");
            Problem::overloaded()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_taken_by_size_and_given_back() {
        let rooms = Rooms::new(11);
        let large = rooms.take(None).unwrap();
        assert!(rooms.take(Some(LARGEST)).is_none(), "another large one does not fit");
        let small = rooms.take(Some(1_000_000)).unwrap();
        assert!(rooms.take(Some(100_000)).is_none());
        let copy = small.clone();
        drop(small);
        assert!(rooms.take(Some(1_000_000)).is_none(), "a copy holds it");
        drop(copy);
        assert!(rooms.take(Some(1_000_000)).is_some());
        drop(large);
        assert!(
            rooms.take(Some(usize::MAX)).is_some(),
            "what is too large is refused by its size, not by this"
        );
        assert!(rooms.take(Some(0)).is_some());
    }
}
