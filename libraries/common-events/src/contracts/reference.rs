//! `docs/events.md`, written from the contracts.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::{Contract, all};
use crate::Topic;

const HEAD: &str = "# Events

What the services tell each other, and everybody who reads their topics. This page is written by the code: change the types in
`libraries/common-events/src/contracts` and run `UPDATE_SCHEMAS=1 cargo test -p common-events --test schemas`.

A message is a CloudEvent 1.0 in structured JSON (`content-type: application/cloudevents+json`), keyed by the id of what it is about:
the events of one wallet, one person, one transaction lie in one partition, in the order in which they happened. Each is published at
least once; whoever reads keeps the `id` of what took effect. `correlationid` and `traceparent` tie an event to the call that caused
it, `actor` says who did (`user:{id}`, `api_key:{id}` of a machine, `staff:{id}`, `service:{name}`, `provider:{name}`). Amounts are in minor units.

";

const RULES: &str = "## How an event may change

The schema of every version is committed in `libraries/common-events/schemas`. A change may add an optional field or
change words. Everything else would break somebody: old readers of new events (forward), or new readers of the old events that topics
keep for ever (backward). The checks refuse it. A break is a new version of the type, `dataschema` says which, and both are
published until every reader knows the new one; a reader takes only the versions that it knows.

With `SCHEMA_REGISTRY_URL`, services register their schemas there when they start: a subject for each version of a type,
`wallet.credited.v1`, with FORWARD compatibility.

";

/// The page.
pub fn page() -> String {
    let contracts = all();
    let mut page = HEAD.to_owned();
    page.push_str(&envelope(&contracts[0]));
    page.push_str(RULES);
    for topic in Topic::ALL {
        let of_topic: Vec<&Contract> = contracts.iter().filter(|contract| contract.topic == topic).collect();
        heading(&mut page, topic);
        if of_topic.is_empty() {
            page.push_str("The topic is there, and nothing is published in it.\n\n");
        }
        for contract in of_topic {
            section(&mut page, contract);
        }
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn envelope(contract: &Contract) -> String {
    let data = example_of(contract);
    let id = data[&contract.key_field].as_str().unwrap_or_default();
    let event = json!({
        "specversion": "1.0",
        "id": "0199f3a2-6c1e-7d40-9b1a-3f5d2c8e7a11",
        "source": format!("/{}", contract.topic.publisher()),
        "type": contract.kind,
        "subject": format!("{}/{id}", contract.aggregate),
        "time": MOMENT,
        "datacontenttype": "application/json",
        "dataschema": format!("/schemas/{}", contract.file()),
        "correlationid": "0199f3a2-6c1d-7a02-8c55-0d9e4b7f6a20",
        "actor": format!("user:{id}"),
        "data": data,
    });
    format!("{}\n", json_block(&event))
}

fn heading(page: &mut String, topic: Topic) {
    let (name, publisher) = (topic.name(), topic.publisher());
    // Writing to a String cannot fail.
    let _ = write!(page, "## {name}\n\nPublished by {publisher}.\n\n");
}

fn section(page: &mut String, contract: &Contract) {
    let schema = &contract.schema;
    let when = schema["description"].as_str().unwrap_or_default();
    let Contract { kind, version, key_field, aggregate, .. } = contract;
    let file = contract.file();
    let _ = write!(
        page,
        "### {kind}\n\n{when}\n\nVersion {version} ([schema](../libraries/common-events/schemas/{file})). Subject \
         `{aggregate}/{{id}}`, key `{key_field}`.\n\n| field | type | |\n| --- | --- | --- |\n"
    );
    fields(page, schema, resolve(schema, schema), "");
    let _ = write!(page, "\n{}\n", json_block(&example_of(contract)));
}

fn fields(page: &mut String, root: &Value, object: &Value, path: &str) {
    let none = Map::new();
    for (name, field) in object["properties"].as_object().unwrap_or(&none) {
        let inner = resolve(root, part(field));
        let words =
            field["description"].as_str().or_else(|| inner["description"].as_str()).unwrap_or_default();
        let _ = writeln!(page, "| `{path}{name}` | {} | {words} |", kind_of(root, field));
        fields(page, root, inner, &format!("{path}{name}."));
    }
}

/// What may be absent is written as one of two: something, or null.
fn part(field: &Value) -> &Value {
    let parts = field["anyOf"].as_array().into_iter().flatten();
    parts.into_iter().find(|part| part["type"] != "null").unwrap_or(field)
}

fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    if let Some([only]) = schema["allOf"].as_array().map(Vec::as_slice) {
        return resolve(root, only);
    }
    let target = schema["$ref"].as_str().and_then(|path| root.pointer(path.trim_start_matches('#')));
    target.unwrap_or(schema)
}

fn kind_of(root: &Value, field: &Value) -> String {
    let inner = resolve(root, part(field));
    let types: Vec<&str> = match &inner["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    };
    let optional = field["anyOf"].is_array() || types.contains(&"null");
    let name = types.into_iter().find(|name| *name != "null").unwrap_or("any");
    let kind = match (name, inner["format"].as_str()) {
        ("array", _) => format!("list of {}", kind_of(root, &inner["items"])),
        (_, Some("uuid")) => "id".to_owned(),
        (_, Some("date-time")) => "time".to_owned(),
        (name, _) => name.to_owned(),
    };
    if optional { format!("{kind} or null") } else { kind }
}

const MOMENT: &str = "2026-11-01T10:00:00.123456Z";

/// With the status that the event is of, where that is one of those that its words name.
fn example_of(contract: &Contract) -> Value {
    let mut example = example(&contract.schema);
    let status = contract.kind.rsplit('.').next().unwrap_or_default();
    let field = &resolve(&contract.schema, &contract.schema)["properties"]["status"];
    let words = field["description"].as_str().unwrap_or_default();
    if words.contains(&format!("`{status}`")) {
        example["status"] = json!(status);
    }
    example
}

/// Of what is written, from the `examples` of the fields, and else from their types.
fn example(schema: &Value) -> Value {
    fn of(root: &Value, name: &str, field: &Value) -> Value {
        if let Some(given) = field["examples"].get(0) {
            return given.clone();
        }
        let inner = resolve(root, part(field));
        if let Some(fields) = inner["properties"].as_object() {
            return fields.iter().map(|(name, field)| (name.clone(), of(root, name, field))).collect();
        }
        match kind_of(root, field).split(' ').next() {
            Some("id") => json!(id_of(name)),
            Some("time") => json!(MOMENT),
            Some("integer") => json!(1),
            Some("boolean") => json!(false),
            Some("list") => json!([of(root, name, &inner["items"])]),
            _ if kind_of(root, field).ends_with("or null") => Value::Null,
            _ => json!(""),
        }
    }
    of(schema, "", schema)
}

/// The same name has the same id on the whole page.
fn id_of(name: &str) -> String {
    let sum = name.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(131).wrapping_add(byte.into()));
    format!("0199f3a2-6c1d-7000-8000-{:012x}", sum & 0xffff_ffff_ffff)
}

fn json_block(value: &Value) -> String {
    // A value that was read from JSON can be written as JSON.
    format!("```json\n{}\n```\n", serde_json::to_string_pretty(value).unwrap_or_default())
}
