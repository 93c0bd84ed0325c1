//! How much memory processes hold.

use std::{
    fs,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::task::JoinHandle;

use crate::{meter::Part, table::whole};

const LOOK: Duration = Duration::from_millis(250);

/// In kilobytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    /// All that is in memory, shared files included.
    resident: u64,
    /// What is the process' alone.
    anonymous: u64,
}

impl Memory {
    /// Of each; what has ended holds nothing.
    pub(crate) fn of(parts: &[Part]) -> Vec<Self> {
        parts.iter().map(|(_, pid)| Self::of_process(*pid)).collect()
    }

    fn of_process(pid: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        Self {
            resident: field("VmRSS:").unwrap_or_default(),
            anonymous: field("RssAnon:").unwrap_or_default(),
        }
    }

    fn most(self, other: Self) -> Self {
        Self { resident: self.resident.max(other.resident), anonymous: self.anonymous.max(other.anonymous) }
    }

    /// `210 / 120`: resident and anonymous, in megabytes.
    pub(crate) fn shown(self) -> String {
        let megabytes = |kilobytes: u64| whole(kilobytes as f64 / 1_024.0);
        format!("{} / {}", megabytes(self.resident), megabytes(self.anonymous))
    }
}

/// What processes held over a time.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) at_half_time: Vec<Memory>,
    pub(crate) at_most: Vec<Memory>,
}

/// Looks again and again, until it is asked.
#[derive(Debug)]
pub(crate) struct Watch {
    seen: Arc<Mutex<Vec<Vec<Memory>>>>,
    task: JoinHandle<()>,
}

impl Watch {
    pub(crate) fn start(parts: Vec<Part>) -> Self {
        let seen = Arc::new(Mutex::new(vec![Memory::of(&parts)]));
        let noted = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK).await;
                let now = Memory::of(&parts);
                noted.lock().unwrap_or_else(PoisonError::into_inner).push(now);
            }
        });
        Self { seen, task }
    }

    pub(crate) fn end(self) -> Held {
        self.task.abort();
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let most = |most: Vec<Memory>, now: &Vec<Memory>| -> Vec<Memory> {
            most.iter().zip(now).map(|(most, now)| most.most(*now)).collect()
        };
        Held {
            at_half_time: seen.get(seen.len() / 2).cloned().unwrap_or_default(),
            at_most: seen.iter().fold(seen.first().cloned().unwrap_or_default(), most),
        }
    }
}
