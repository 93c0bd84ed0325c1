//! The Lua functions of `kong.yml`. No Lua runs here: each function is known by its text and its phase, and what it
//! does is written again in Rust. Another text is an error at start.
//!
//! `rewrite` comes before a route is looked for, so it is run for every call, and for global plugins only; `access`
//! comes after, for calls that have a route.

use http::HeaderMap;

use super::{offered_id, subject};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Rewrite,
    Access,
}

/// One function.
#[derive(Debug)]
pub(crate) struct Known {
    phase: Phase,
    lua: &'static str,
    run: fn(&mut HeaderMap),
}

static KNOWN: [Known; 2] = [
    Known { phase: Phase::Rewrite, lua: offered_id::LUA, run: offered_id::clear },
    Known { phase: Phase::Access, lua: subject::LUA, run: subject::set },
];

/// The functions of one plugin, in the order in which they stand.
#[derive(Debug, Clone, Default)]
pub struct Functions(Vec<&'static Known>);

impl Functions {
    /// Takes the function up; false when it is not known, or not in this phase.
    pub(crate) fn take(&mut self, phase: Phase, lua: &str) -> bool {
        let known = KNOWN.iter().find(|known| known.phase == phase && known.lua.trim() == lua.trim());
        self.0.extend(known);
        known.is_some()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn has(&self, phase: Phase) -> bool {
        self.0.iter().any(|known| known.phase == phase)
    }

    pub(crate) fn run(&self, phase: Phase, headers: &mut HeaderMap) {
        for known in self.0.iter().filter(|known| known.phase == phase) {
            (known.run)(headers);
        }
    }
}
