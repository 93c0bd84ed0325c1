//! Whether a schema may take the place of another one, both ways:
//!
//! - **forward**: a reader of the old schema reads what is written by the new one. So nothing that was always there goes
//!   away or may be missing, and no value is of another kind than before.
//! - **backward**: a reader of the new schema reads what was written by the old one, which topics keep for ever. So
//!   nothing that must be there is new, and no value of before is refused.
//!
//! What is left: an optional field may come, and words of description may change. All else is a new version of the event,
//! published beside the old one until every reader knows it. A field that was optional does not go either: a schema registry with
//! FORWARD compatibility refuses that for schemas that allow fields which they do not name.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Words that say nothing of a value, and those that are looked into below. A change of any other one is a break.
const LOOKED_INTO: [&str; 13] = [
    "$schema",
    "title",
    "description",
    "examples",
    "definitions",
    "$ref",
    "properties",
    "required",
    "items",
    "oneOf",
    "anyOf",
    "allOf",
    "$comment",
];

/// What would break readers, each with the path of the field; nothing where the change is harmless.
pub fn breaks(old: &Value, new: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(&Place { root: old, at: old }, &Place { root: new, at: new }, "", 0, &mut found);
    found
}

/// A schema within its document, in which references are looked up.
struct Place<'a> {
    root: &'a Value,
    at: &'a Value,
}

/// Schemas of ours are not deeper; one that refers to itself is looked at so far.
const DEEPEST: usize = 16;

impl<'a> Place<'a> {
    /// The schema itself, where it is written as a reference, or as a list of one that has to hold.
    fn resolved(&self) -> Self {
        if let Some([only]) = self.at["allOf"].as_array().map(Vec::as_slice) {
            return Self { root: self.root, at: only }.resolved();
        }
        let target =
            self.at["$ref"].as_str().and_then(|path| self.root.pointer(path.trim_start_matches('#')));
        match target {
            // What a reference leads to may be one.
            Some(at) if at != self.at => Self { root: self.root, at }.resolved(),
            _ => Self { root: self.root, at: self.at },
        }
    }

    fn child(&self, at: &'a Value) -> Self {
        Self { root: self.root, at }
    }

    fn properties(&self) -> Option<&'a Map<String, Value>> {
        self.at["properties"].as_object()
    }

    fn required(&self) -> BTreeSet<&'a str> {
        self.at["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }
}

fn compare(old: &Place<'_>, new: &Place<'_>, path: &str, depth: usize, found: &mut Vec<String>) {
    if depth > DEEPEST {
        return;
    }
    let (old, new) = (old.resolved(), new.resolved());
    let words = [old.at, new.at].into_iter().filter_map(Value::as_object).flat_map(Map::keys);
    let words: BTreeSet<&str> = words.map(String::as_str).collect();
    for word in words.into_iter().filter(|word| !LOOKED_INTO.contains(word)) {
        let (before, after) = (sorted(&old.at[word]), sorted(&new.at[word]));
        if before != after {
            found.push(format!("{}: {word} was {before} and is {after}", named(path)));
        }
    }
    compare_fields(&old, &new, path, depth, found);
    for word in ["items", "oneOf", "anyOf", "allOf"] {
        compare_parts(&old, &new, word, path, depth, found);
    }
}

fn compare_fields(old: &Place<'_>, new: &Place<'_>, path: &str, depth: usize, found: &mut Vec<String>) {
    let none = Map::new();
    let (before, after) = (old.properties().unwrap_or(&none), new.properties().unwrap_or(&none));
    let (was_required, is_required) = (old.required(), new.required());
    for (name, schema) in before {
        let path = format!("{path}/{name}");
        let (was, is) = (was_required.contains(name.as_str()), is_required.contains(name.as_str()));
        match after.get(name) {
            Some(now) => {
                if was != is {
                    let words = |required| if required { "required" } else { "optional" };
                    found.push(format!("{path}: was {} and is {}", words(was), words(is)));
                }
                compare(&old.child(schema), &new.child(now), &path, depth + 1, found);
            }
            None => found.push(format!("{path}: is gone, and readers may rely on it")),
        }
    }
    for name in after.keys().filter(|name| !before.contains_key(*name)) {
        if is_required.contains(name.as_str()) {
            found.push(format!("{path}/{name}: is new and required, and events of before do not have it"));
        }
    }
}

fn compare_parts(
    old: &Place<'_>,
    new: &Place<'_>,
    word: &str,
    path: &str,
    depth: usize,
    found: &mut Vec<String>,
) {
    let (before, after) = (parts(&old.at[word]), parts(&new.at[word]));
    if before.len() != after.len() {
        found.push(format!("{}: {word} had {} parts and has {}", named(path), before.len(), after.len()));
        return;
    }
    for (place, (before, after)) in before.into_iter().zip(after).enumerate() {
        let path = format!("{path}/{word}[{place}]");
        compare(&old.child(before), &new.child(after), &path, depth + 1, found);
    }
}

fn parts(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(parts) => parts.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

/// Lists of types and values have no order.
fn sorted(value: &Value) -> Value {
    let Value::Array(items) = value else { return value.clone() };
    let mut items = items.clone();
    items.sort_by_key(ToString::to_string);
    Value::Array(items)
}

fn named(path: &str) -> &str {
    if path.is_empty() { "the event itself" } else { path }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({
            "description": "Money came in.",
            "$ref": "#/$defs/Entry",
            "$defs": {
                "Amount": { "type": "object", "properties": { "amount": { "type": "integer" } }, "required": ["amount"] },
                "Entry": {
                    "type": "object",
                    "properties": {
                        "id": { "type": "string", "format": "uuid" },
                        "amount": { "$ref": "#/$defs/Amount" },
                        "name": { "type": ["string", "null"] },
                        "roles": { "type": "array", "items": { "type": "string" } },
                        "status": { "enum": ["open", "closed"] }
                    },
                    "required": ["id", "amount", "roles", "status"]
                }
            }
        })
    }

    /// What comes of one change, at a path into the schema.
    fn after(pointer: &str, value: Value) -> Vec<String> {
        let mut new = schema();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = new.pointer_mut(parent).unwrap();
        if value == json!("(remove)") {
            parent.as_object_mut().unwrap().remove(name).unwrap();
        } else {
            parent[name] = value;
        }
        breaks(&schema(), &new)
    }

    #[test]
    fn words_may_change_and_optional_fields_may_come() {
        assert!(after("/description", json!("Other words.")).is_empty());
        assert!(after("/$defs/Entry/properties/note", json!({ "type": ["string", "null"] })).is_empty());
        assert!(after("/$defs/Entry/properties/name/type", json!(["null", "string"])).is_empty());
        assert!(after("/$defs/Entry/properties/status/enum", json!(["closed", "open"])).is_empty());
    }

    #[test]
    fn everything_else_is_a_break_and_is_named() {
        let entry = "/$defs/Entry";
        let required = |names: Value| after(&format!("{entry}/required"), names);
        for (found, wanted) in [
            (
                after(&format!("{entry}/properties/id"), json!("(remove)")),
                "/id: is gone, and readers may rely on it",
            ),
            (
                after(&format!("{entry}/properties/name"), json!("(remove)")),
                "/name: is gone, and readers may rely on it",
            ),
            (required(json!(["id", "amount", "roles"])), "/status: was required and is optional"),
            (
                required(json!(["id", "amount", "roles", "status", "name"])),
                "/name: was optional and is required",
            ),
            (
                after(&format!("{entry}/properties/name/type"), json!("string")),
                r#"/name: type was ["null","string"] and is "string""#,
            ),
            (
                after("/$defs/Amount/properties/amount/type", json!("number")),
                r#"/amount/amount: type was "integer" and is "number""#,
            ),
            (
                after(&format!("{entry}/properties/status/enum"), json!(["open", "closed", "lost"])),
                r#"/status: enum was ["closed","open"] and is ["closed","lost","open"]"#,
            ),
            (
                after(&format!("{entry}/properties/roles/items/type"), json!("integer")),
                r#"/roles/items[0]: type was "string" and is "integer""#,
            ),
            (
                after(&format!("{entry}/properties/id/format"), json!("(remove)")),
                r#"/id: format was "uuid" and is null"#,
            ),
            (after("/$ref", json!("#/$defs/Amount")), "/id: is gone, and readers may rely on it"),
        ] {
            assert!(found.iter().any(|line| line == wanted), "{found:#?}");
        }
    }

    #[test]
    fn a_new_field_that_must_be_there_is_a_break() {
        let mut new = schema();
        new["$defs"]["Entry"]["properties"]["note"] = json!({ "type": "string" });
        new["$defs"]["Entry"]["required"] = json!(["id", "amount", "roles", "status", "note"]);
        assert_eq!(
            breaks(&schema(), &new),
            ["/note: is new and required, and events of before do not have it"]
        );
    }
}
