//! The committed JSON Schemas are those of the code. After a change that keeps readers working, write them anew with
//! `UPDATE_SCHEMAS=1 cargo test -p common-events --test schemas`; a change that breaks readers is a new version.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must fail")]

use std::{collections::BTreeSet, fs, path::Path};

use common_events::contracts;

#[test]
fn committed_schemas_are_those_of_the_code() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let update = std::env::var_os("UPDATE_SCHEMAS").is_some();
    let mut names = BTreeSet::new();
    for (kind, version, schema) in contracts::schemas() {
        let name = format!("{kind}.v{version}.json");
        let text = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
        if update {
            fs::write(folder.join(&name), &text).unwrap();
        }
        let committed = fs::read_to_string(folder.join(&name)).unwrap_or_default();
        assert_eq!(committed, text, "{name} differs from the code: readers rely on it");
        names.insert(name);
    }
    let files = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(files.collect::<BTreeSet<_>>(), names, "a schema without an event");
}

#[test]
fn no_event_has_a_place_for_secrets() {
    for (kind, _, schema) in contracts::schemas() {
        let text = serde_json::to_string(&schema).unwrap().to_lowercase();
        for word in ["\"bvn\"", "\"nin\"", "password", "dateofbirth", "token"] {
            assert!(!text.contains(word), "{kind} has {word}");
        }
    }
}
