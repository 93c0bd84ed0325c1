//! The committed JSON Schemas and `docs/events.md` are those of the code. After a change that keeps readers working, write them
//! anew with `UPDATE_SCHEMAS=1 cargo test -p common-events --test schemas`; a change that breaks readers is a new version.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use common_events::contracts::{self, compatibility, reference};
use serde_json::Value;

fn update() -> bool {
    std::env::var_os("UPDATE_SCHEMAS").is_some()
}

fn schemas() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas")
}

#[test]
fn committed_schemas_are_those_of_the_code_and_no_reader_breaks() {
    let mut names = BTreeSet::new();
    for contract in contracts::all() {
        let name = contract.file();
        let file = schemas().join(&name);
        let text = contract.text().unwrap();
        if let Ok(committed) = fs::read_to_string(&file) {
            let before: Value = serde_json::from_str(&committed).unwrap();
            let breaks = compatibility::breaks(&before, &contract.schema);
            assert!(breaks.is_empty(), "{name} would break readers; make it a new version: {breaks:#?}");
        }
        if update() {
            fs::write(&file, &text).unwrap();
        }
        let committed = fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(committed, text, "{name} differs from the code, harmlessly: UPDATE_SCHEMAS=1 writes it");
        names.insert(name);
    }
    let files = fs::read_dir(schemas()).unwrap();
    let files = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    // Versions that are no longer published stay: topics keep their events.
    let earlier = |file: &String| {
        let known = file.trim_end_matches(".json").rsplit_once(".v");
        known.is_some_and(|(kind, version)| {
            let latest = contracts::latest_version(kind).unwrap_or_default();
            version.parse::<u16>().is_ok_and(|version| version < latest)
        })
    };
    let current: BTreeSet<String> = files.filter(|file| !earlier(file)).collect();
    assert_eq!(current, names, "a schema without an event");
}

#[test]
fn the_page_of_events_is_that_of_the_code() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/events.md");
    let page = reference::page();
    if update() {
        fs::write(&file, &page).unwrap();
    }
    assert!(fs::read_to_string(file).unwrap() == page, "docs/events.md is old: UPDATE_SCHEMAS=1 writes it");
}

/// By the names of its fields: an event may well tell that a password was changed.
#[test]
fn no_event_has_a_place_for_secrets() {
    for contract in contracts::all() {
        let mut fields = Vec::new();
        collect_fields(&contract.schema, &mut fields);
        assert!(fields.contains(&contract.key_field.to_lowercase()), "{} has no fields", contract.kind);
        for field in fields {
            let secret = matches!(field.as_str(), "bvn" | "nin")
                || ["password", "dateofbirth", "token"].iter().any(|word| field.contains(word));
            assert!(!secret, "{} has {field}", contract.kind);
        }
    }
}

/// At any depth, in lower case.
fn collect_fields(schema: &Value, found: &mut Vec<String>) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        found.extend(properties.keys().map(|name| name.to_lowercase()));
    }
    match schema {
        Value::Object(parts) => parts.values().for_each(|part| collect_fields(part, found)),
        Value::Array(items) => items.iter().for_each(|item| collect_fields(item, found)),
        _ => {}
    }
}
