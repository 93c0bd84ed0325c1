//! Reading the project's own files.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;
use serde_json::Value;

use crate::monitoring::queries::root;

pub(crate) fn path(name: &str) -> PathBuf {
    root().join(name)
}

pub(crate) fn text(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A YAML file, its anchors and merges resolved.
pub(crate) fn yaml(name: &str) -> Value {
    let mut value: serde_yaml_ng::Value =
        serde_yaml_ng::from_str(&text(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    // What is merged may itself merge.
    let merges = |value: &serde_yaml_ng::Value| serde_yaml_ng::to_string(value).unwrap().contains("<<:");
    while merges(&value) {
        value.apply_merge().unwrap();
    }
    serde_json::to_value(value).unwrap()
}

/// All Rust sources of some folders, without their tests, as one text.
pub(crate) fn sources(folders: &[&str]) -> String {
    let mut all = String::new();
    for folder in folders {
        collect(&path(folder), &mut all);
    }
    all
}

fn collect(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("tests") {
            collect(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// What the first group of `pattern` matches, each once.
pub(crate) fn found(pattern: &str, text: &str) -> BTreeSet<String> {
    Regex::new(pattern).unwrap().captures_iter(text).map(|found| found[1].to_owned()).collect()
}
