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

/// Looks again and again, until it is asked.
#[derive(Debug)]
pub(crate) struct Peak {
    most: Arc<Mutex<Vec<Memory>>>,
    task: JoinHandle<()>,
}

impl Peak {
    pub(crate) fn watch(parts: Vec<Part>) -> Self {
        let most = Arc::new(Mutex::new(Memory::of(&parts)));
        let seen = Arc::clone(&most);
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK).await;
                let now = Memory::of(&parts);
                let mut most = seen.lock().unwrap_or_else(PoisonError::into_inner);
                *most = most.iter().zip(now).map(|(most, now)| most.most(now)).collect();
            }
        });
        Self { most, task }
    }

    /// The most that each has held.
    pub(crate) fn end(self) -> Vec<Memory> {
        self.task.abort();
        self.most.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
