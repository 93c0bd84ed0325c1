//! Wakes the relay when events were written, in this process or in another one.
//!
//! A `NOTIFY` inside of the business transaction would be simpler, and wrong: Postgres lets only one transaction that
//! notifies commit at a time, in all databases of the server, so no two commits could share a flush to disk. Here the writer
//! only raises a flag in its process. The leading relay looks often for a while, because the commit is still to come;
//! a relay that does not lead passes the word on by a `NOTIFY` of its own.

use std::sync::LazyLock;

use tokio::sync::watch;

static WRITTEN: LazyLock<watch::Sender<u64>> = LazyLock::new(|| watch::channel(0).0);

/// Somebody in this process has written events and is about to commit.
pub(crate) fn soon() {
    WRITTEN.send_modify(|times| *times = times.wrapping_add(1));
}

pub(crate) fn subscribe() -> watch::Receiver<u64> {
    WRITTEN.subscribe()
}
