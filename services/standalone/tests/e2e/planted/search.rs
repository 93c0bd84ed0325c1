//! Looks for everything that was planted at once, and keeps where it was.

use std::collections::BTreeMap;

use aho_corasick::AhoCorasick;

use super::secrets::{Planted, Spelling, What};

/// How much of what stands around is shown.
const AROUND: usize = 60;

#[derive(Debug)]
pub(crate) struct Search {
    spellings: Vec<Spelling>,
    automaton: AhoCorasick,
    /// What was where, with one example of it.
    pub(crate) found: BTreeMap<(String, What), String>,
    /// How many bytes were looked at in each place.
    pub(crate) looked_at: BTreeMap<String, usize>,
}

impl Search {
    pub(crate) fn new(planted: &Planted) -> Self {
        let spellings = planted.spellings();
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(spellings.iter().map(|spelling| &spelling.bytes))
            .unwrap();
        Self { spellings, automaton, found: BTreeMap::new(), looked_at: BTreeMap::new() }
    }

    pub(crate) fn look(&mut self, place: &str, text: &[u8]) {
        *self.looked_at.entry(place.to_owned()).or_default() += text.len();
        for hit in self.automaton.find_overlapping_iter(text) {
            let spelling = &self.spellings[hit.pattern().as_usize()];
            if spelling.bare_digits && !stands_alone(text, hit.start(), hit.end()) {
                continue;
            }
            self.found.entry((place.to_owned(), spelling.what)).or_insert_with(|| {
                let around = &text[hit.start().saturating_sub(AROUND)..text.len().min(hit.end() + AROUND)];
                format!("{}: {}", spelling.how, String::from_utf8_lossy(around))
            });
        }
    }
}

/// Neither part of a longer word or number, nor a fraction of a second.
fn stands_alone(text: &[u8], start: usize, end: usize) -> bool {
    let joins = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let before = start.checked_sub(1).and_then(|at| text.get(at));
    !joins(before) && before != Some(&b'.') && !joins(text.get(end))
}
