//! Which route a path belongs to, by the rules of Kong's router (`traditional_compatible`) for routes that have
//! paths only:
//!
//! 1. regular expressions (`~/…`, anchored at the start) before plain prefixes,
//! 2. among expressions the higher `regex_priority`,
//! 3. among prefixes the longer one,
//! 4. then the order of the file. Kong orders such ties by the routes' ids, so a file should not rest on it.

use std::cmp::Reverse;

use regex::Regex;

use crate::config::{Config, Route};

/// One path of a route.
#[derive(Debug, Clone)]
pub(crate) enum Pattern {
    Prefix(String),
    Regex(Regex),
}

impl Pattern {
    pub(crate) fn parse(path: &str) -> Result<Self, String> {
        if path.contains("//") {
            return Err("must not have empty segments".to_owned());
        }
        match path.strip_prefix('~') {
            Some(regex) if regex.starts_with('/') => {
                Regex::new(&format!("^{regex}")).map(Self::Regex).map_err(|error| error.to_string())
            }
            None if path.starts_with('/') => Ok(Self::Prefix(path.to_owned())),
            _ => Err("should start with: / (fixed path) or ~/ (regex path)".to_owned()),
        }
    }

    /// How much of the path it takes.
    fn matches(&self, path: &str) -> Option<usize> {
        match self {
            Self::Prefix(prefix) => path.starts_with(prefix.as_str()).then_some(prefix.len()),
            Self::Regex(regex) => regex.find(path).map(|found| found.end()),
        }
    }

    fn rank(&self, route: &Route) -> (bool, usize) {
        match self {
            Self::Prefix(prefix) => (false, prefix.len()),
            Self::Regex(_) => (true, route.regex_priority as usize),
        }
    }
}

#[derive(Debug)]
struct Candidate {
    rank: (bool, usize),
    pattern: Pattern,
    service: usize,
    route: usize,
}

/// Where a path leads: indices into the configuration, and how much of the path the route took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Match {
    pub(crate) service: usize,
    pub(crate) route: usize,
    pub(crate) taken: usize,
}

#[derive(Debug)]
pub(crate) struct Table(Vec<Candidate>);

impl Table {
    /// `config` has been checked, so a path that does not parse is left out rather than reported again.
    pub(crate) fn new(config: &Config) -> Self {
        let mut candidates = Vec::new();
        for (service, entity) in config.services.iter().enumerate() {
            for (route, entity) in entity.routes.iter().enumerate() {
                let patterns = entity.paths.iter().filter_map(|path| Pattern::parse(path).ok());
                candidates.extend(patterns.map(|pattern| Candidate {
                    rank: pattern.rank(entity),
                    pattern,
                    service,
                    route,
                }));
            }
        }
        // A stable sort keeps the order of the file among equals.
        candidates.sort_by_key(|candidate| Reverse(candidate.rank));
        Self(candidates)
    }

    pub(crate) fn find(&self, path: &str) -> Option<Match> {
        self.0.iter().find_map(|Candidate { pattern, service, route, .. }| {
            pattern.matches(path).map(|taken| Match { service: *service, route: *route, taken })
        })
    }
}

/// The path with which the service is called: its own `path` before what the route left over. As Kong joins them
/// (`path_handling: v0`).
pub(crate) fn upstream_path(base: &str, request: &str, stripped: Option<usize>) -> String {
    let Some(taken) = stripped else {
        return match base.strip_suffix('/') {
            Some(base) => format!("{base}{request}"),
            None if request == "/" => base.to_owned(),
            None => format!("{base}{request}"),
        };
    };
    let rest = request.get(taken..).unwrap_or_default();
    let trimmed = base.strip_suffix('/').unwrap_or(base);
    if rest.is_empty() {
        let slash = if base == "/" || (request.len() > 1 && request.ends_with('/')) { "/" } else { "" };
        return format!("{trimmed}{slash}");
    }
    format!("{trimmed}/{}", rest.strip_prefix('/').unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_and_rest_are_joined_once() {
        for (base, request, stripped, joined) in [
            ("/", "/a/b", None, "/a/b"),
            ("/x", "/a", None, "/x/a"),
            ("/x/", "/a", None, "/x/a"),
            ("/x", "/", None, "/x"),
            ("/x.json", "/a.json", Some(7), "/x.json"),
            ("/x", "/a/", Some(2), "/x/"),
            ("/x", "/a/b", Some(2), "/x/b"),
            ("/x", "/ab", Some(2), "/x/b"),
            ("/x/", "/a/b", Some(2), "/x/b"),
            ("/", "/a", Some(2), "/"),
            ("/", "/a/b", Some(2), "/b"),
        ] {
            assert_eq!(upstream_path(base, request, stripped), joined, "{base} {request} {stripped:?}");
        }
    }

    #[test]
    fn a_path_starts_with_a_slash() {
        for wrong in ["a", "~a", "/a//b", "~/(", ""] {
            assert!(Pattern::parse(wrong).is_err(), "{wrong}");
        }
    }
}
