//! Crash points: named lines at which tests let a process die, to prove that a crash there leaves nothing half done.
//! A release build has none of them.
//!
//! In a debug build `FAILPOINTS` says what happens at which point, in the words of the crate `fail`; several are separated
//! by `;`. `ledger.before_commit=3*off->1*return` lets three pass and kills the process at the fourth: at once, without
//! unwinding, as SIGKILL would. `sleep(500)` makes it slow there, `pause` stops that thread for good, `panic` unwinds.
//!
//! | point | what is there when the process dies |
//! | --- | --- |
//! | `ledger.after_lock` | balances are locked, nothing is written |
//! | `ledger.after_decide` | a batch is decided in memory, nothing is written |
//! | `ledger.before_commit` | a batch is written and not committed |
//! | `ledger.after_commit` | a batch is posted, nobody was told |
//! | `transfer.after_claim` | transfers are `initiated`, their keys used |
//! | `transfer.before_post` | the same, on the way to the ledger; also in recovery and in a retry |
//! | `transfer.after_post` | the ledger has decided, the transfers are still `initiated` |
//! | `transfer.after_settle` | transfers have ended, their clients were not told |
//! | `recovery.after_take` | transfers are taken over, their new lease runs |
//! | `relay.after_publish` | events are in Kafka and not marked as published |
//! | `consumer.before_commit` | an event's effect is written and not committed |
//! | `consumer.after_commit` | an event took effect, its offset is not stored |
//! | `deposit.before_commit` | a deposit is posted in a transaction that is not committed |
//! | `deposit.after_commit` | a deposit is credited, nobody was told |
//! | `rebuild.after_batch` | a part of a new read model is filled |
//! | `rebuild.before_switch` | a new read model is filled, the old one serves |
//! | `rebuild.before_commit` | the same, and what puts it in place is not committed |
//! | `rebuild.after_commit` | the new read model serves, nobody was told |

use crate::config::Env;

/// All of them, as in the table.
pub const POINTS: [&str; 18] = [
    "ledger.after_lock",
    "ledger.after_decide",
    "ledger.before_commit",
    "ledger.after_commit",
    "transfer.after_claim",
    "transfer.before_post",
    "transfer.after_post",
    "transfer.after_settle",
    "recovery.after_take",
    "relay.after_publish",
    "consumer.before_commit",
    "consumer.after_commit",
    "deposit.before_commit",
    "deposit.after_commit",
    "rebuild.after_batch",
    "rebuild.before_switch",
    "rebuild.before_commit",
    "rebuild.after_commit",
];

/// Marks a crash point of the table above.
#[cfg(debug_assertions)]
#[macro_export]
macro_rules! crash_point {
    ($name:literal) => {{
        const { assert!($crate::crash::is_known($name), "a crash point that is not in the table") };
        $crate::crash::pass($name);
    }};
}

/// Marks a crash point; a release build has none.
#[cfg(not(debug_assertions))]
#[macro_export]
macro_rules! crash_point {
    ($name:literal) => {};
}

/// Once, when the process starts.
pub fn arm(env: &Env) -> anyhow::Result<()> {
    let Some(wanted) = env.get("FAILPOINTS") else { return Ok(()) };
    anyhow::ensure!(cfg!(debug_assertions), "FAILPOINTS is set, and a release build has no crash points");
    for one in wanted.split(';').map(str::trim).filter(|one| !one.is_empty()) {
        let (name, actions) = one.split_once('=').unwrap_or((one, ""));
        anyhow::ensure!(is_known(name), "FAILPOINTS: there is no crash point `{name}`");
        fail::cfg(name, actions).map_err(|error| anyhow::anyhow!("FAILPOINTS: {name}: {error}"))?;
    }
    tracing::warn!(wanted, "crash points are armed");
    Ok(())
}

#[doc(hidden)]
pub fn pass(name: &str) {
    fail::fail_point!(name, |_| std::process::abort());
}

#[doc(hidden)]
pub const fn is_known(name: &str) -> bool {
    let mut at = 0;
    while at < POINTS.len() {
        if same(POINTS[at].as_bytes(), name.as_bytes()) {
            return true;
        }
        at += 1;
    }
    false
}

/// `==` is not const yet.
const fn same(one: &[u8], other: &[u8]) -> bool {
    let (mut at, len) = (0, one.len());
    while at < len && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == len && at == other.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn armed_with(wanted: &str) -> anyhow::Result<()> {
        arm(&Env::from_values("test", [("FAILPOINTS".to_owned(), wanted.to_owned())].into()))
    }

    #[test]
    fn every_point_is_in_the_table() {
        let table = include_str!("crash.rs").lines().filter_map(|line| line.strip_prefix("//! | `"));
        let named: Vec<&str> = table.filter_map(|line| Some(line.split_once('`')?.0)).collect();
        assert_eq!(named, POINTS);
    }

    #[test]
    #[cfg(not(debug_assertions))]
    fn a_release_build_has_none_and_says_so() {
        crash_point!("not even a name is looked at");
        assert!(armed_with("ledger.after_lock=return").is_err());
    }

    #[test]
    fn only_known_points_can_be_armed() {
        assert!(armed_with("").is_ok());
        for wrong in
            ["ledger.after", "ledger.after_lock.", "=return", "ledger.after_lock", "ledger.after_lock=die"]
        {
            assert!(armed_with(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    #[cfg(debug_assertions)]
    fn a_point_acts_when_it_is_armed_on_the_passage_that_was_named() {
        // A panic can be seen from inside; what kills the process is tried with processes.
        armed_with("ledger.after_lock=2*off->1*panic(here); ledger.after_decide=off").unwrap();
        let pass = || std::panic::catch_unwind(|| crash_point!("ledger.after_lock"));
        assert!(pass().is_ok() && pass().is_ok());
        assert_eq!(*pass().unwrap_err().downcast::<String>().unwrap(), "here");
        assert!(pass().is_ok());
        crash_point!("ledger.after_decide");
    }
}
