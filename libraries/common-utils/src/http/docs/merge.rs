//! One contract out of those of several services, for clients who see one address.
//!
//! Steps for each document: leave out `/internal` and the schemas that only it uses; give another name to each schema
//! whose name an earlier document uses for something else; do the same with operation ids; then take over the rest.
//! Works on JSON, where a reference is a string wherever it stands.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use utoipa::openapi::OpenApi;

const SCHEMAS: &str = "#/components/schemas/";

/// Merges the documents under a title of their own; earlier ones keep their names. The result is JSON: `utoipa` writes
/// contracts that it does not read back.
pub fn merge(title: &str, description: &str, documents: Vec<OpenApi>) -> serde_json::Result<Value> {
    let mut merged = Merged::default();
    for document in documents {
        let title = document.info.title.clone();
        merged.add(&title, serde_json::to_value(document)?);
    }
    let mut document = merged.into_document();
    document["info"]["title"] = Value::from(title);
    document["info"]["description"] = Value::from(description);
    Ok(document)
}

#[derive(Debug, Default)]
struct Merged {
    /// What the first document has beside paths, components and tags.
    head: Option<Map<String, Value>>,
    paths: BTreeMap<String, Map<String, Value>>,
    schemas: BTreeMap<String, Value>,
    security: Map<String, Value>,
    tags: Vec<Value>,
    operations: BTreeSet<String>,
}

impl Merged {
    fn add(&mut self, title: &str, document: Value) {
        let Value::Object(mut document) = document else { return };
        let mut paths = object(document.remove("paths"));
        paths.retain(|path, _| !path.starts_with("/internal"));
        let mut components = object(document.remove("components"));
        let mut schemas = object(components.remove("schemas"));
        let used = reachable(&paths, &schemas);
        schemas.retain(|name, _| used.contains(name));
        let prefix: String = title.chars().filter(char::is_ascii_alphanumeric).collect();

        let renames = self.renames(&prefix, &schemas);
        for (name, mut schema) in schemas {
            rename(&mut schema, &renames);
            let name = renames.get(&name).cloned().unwrap_or(name);
            self.schemas.insert(name, schema);
        }
        for (path, mut item) in paths {
            rename(&mut item, &renames);
            self.take_operations(&prefix, &mut item);
            let known = self.paths.entry(path).or_default();
            for (method, operation) in object(Some(item)) {
                known.entry(method).or_insert(operation);
            }
        }
        for (name, scheme) in object(components.remove("securitySchemes")) {
            self.security.entry(name).or_insert(scheme);
        }
        if let Some(Value::Array(tags)) = document.remove("tags") {
            let new: Vec<Value> = tags.into_iter().filter(|tag| !self.has_tag(tag)).collect();
            self.tags.extend(new);
        }
        self.head.get_or_insert(document);
    }

    /// Which schemas need another name. One that refers to a renamed one has changed by that, so this goes on until
    /// nothing changes any more.
    fn renames(&self, prefix: &str, schemas: &Map<String, Value>) -> BTreeMap<String, String> {
        let mut renames = BTreeMap::new();
        loop {
            let clash = schemas.iter().find(|(name, schema)| {
                !renames.contains_key(*name)
                    && self.schemas.get(*name).is_some_and(|known| {
                        let mut schema = (*schema).clone();
                        rename(&mut schema, &renames);
                        *known != schema
                    })
            });
            let Some((name, _)) = clash else { return renames };
            let taken = |new: &str| self.schemas.contains_key(new) || schemas.contains_key(new);
            renames.insert(name.clone(), free_name(prefix, name, taken));
        }
    }

    /// Operation ids are unique in a document.
    fn take_operations(&mut self, prefix: &str, item: &mut Value) {
        let Value::Object(methods) = item else { return };
        for operation in methods.values_mut() {
            let Some(Value::String(id)) = operation.get_mut("operationId") else { continue };
            if self.operations.contains(id) {
                *id = free_name(&format!("{}_", prefix.to_lowercase()), id, |new| {
                    self.operations.contains(new)
                });
            }
            self.operations.insert(id.clone());
        }
    }

    fn has_tag(&self, tag: &Value) -> bool {
        self.tags.iter().any(|known| known.get("name") == tag.get("name"))
    }

    fn into_document(self) -> Value {
        let Some(mut document) = self.head else {
            return serde_json::json!({ "openapi": "3.1.0", "info": { "title": "", "version": "" }, "paths": {} });
        };
        let paths = self.paths.into_iter().map(|(path, item)| (path, Value::Object(item)));
        document.insert("paths".to_owned(), Value::Object(paths.collect()));
        let components = serde_json::json!({
            "schemas": self.schemas.into_iter().collect::<Map<_, _>>(),
            "securitySchemes": self.security,
        });
        document.insert("components".to_owned(), components);
        if !self.tags.is_empty() {
            document.insert("tags".to_owned(), Value::Array(self.tags));
        }
        Value::Object(document)
    }
}

fn object(value: Option<Value>) -> Map<String, Value> {
    match value {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

fn free_name(prefix: &str, name: &str, taken: impl Fn(&str) -> bool) -> String {
    let mut new = format!("{prefix}{name}");
    while taken(&new) {
        new.push('_');
    }
    new
}

/// The schemas that the paths lead to.
fn reachable(paths: &Map<String, Value>, schemas: &Map<String, Value>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut next = Vec::new();
    paths.values().for_each(|item| references(item, &mut next));
    while let Some(name) = next.pop() {
        if let Some(schema) = schemas.get(&name)
            && found.insert(name)
        {
            references(schema, &mut next);
        }
    }
    found
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.extend(text.strip_prefix(SCHEMAS).map(str::to_owned)),
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| references(field, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn rename(value: &mut Value, renames: &BTreeMap<String, String>) {
    match value {
        Value::String(text) => {
            if let Some(new) = text.strip_prefix(SCHEMAS).and_then(|name| renames.get(name)) {
                *text = format!("{SCHEMAS}{new}");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, renames)),
        Value::Object(fields) => fields.values_mut().for_each(|field| rename(field, renames)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A service with one call that answers a `Page` of `Item`s.
    fn document(title: &str, path: &str, item: &Value) -> OpenApi {
        let answer = |schema: &str| {
            json!({ "200": { "description": "", "content":
                { "application/json": { "schema": { "$ref": format!("{SCHEMAS}{schema}") } } } } })
        };
        serde_json::from_value(json!({
            "openapi": "3.1.0", "info": { "title": title, "version": "1" },
            "paths": {
                path: { "get": { "operationId": "list", "responses": answer("Page") } },
                "/internal/v1/secrets": { "get": { "operationId": "secrets", "responses": answer("Secret") } },
            },
            "components": {
                "schemas": {
                    "Page": { "type": "object", "properties": { "items": {
                        "type": "array", "items": { "$ref": format!("{SCHEMAS}Item") } } } },
                    "Item": item,
                    "Secret": { "type": "string" },
                },
                "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer" } },
            },
        }))
        .unwrap()
    }

    fn merged(documents: Vec<OpenApi>) -> Value {
        merge("All", "Of it.", documents).unwrap()
    }

    fn names(merged: &Value, pointer: &str) -> Vec<String> {
        merged.pointer(pointer).unwrap().as_object().unwrap().keys().cloned().collect()
    }

    #[test]
    fn has_the_public_paths_of_all_and_one_of_each_equal_schema() {
        let item = json!({ "type": "string" });
        let merged = merged(vec![document("Wallet", "/a", &item), document("Admin", "/b", &item)]);
        assert_eq!(names(&merged, "/paths"), ["/a", "/b"]);
        assert_eq!(names(&merged, "/components/schemas"), ["Item", "Page"], "no schema of an internal call");
        assert_eq!(names(&merged, "/components/securitySchemes"), ["bearer"]);
        assert_eq!(merged["info"]["title"], "All");
        assert_eq!(merged.pointer("/paths/~1a/get/operationId").unwrap(), "list");
        assert_eq!(merged.pointer("/paths/~1b/get/operationId").unwrap(), "admin_list");
    }

    #[test]
    fn a_schema_that_means_something_else_gets_another_name_with_all_that_refer_to_it() {
        let (text, number) = (json!({ "type": "string" }), json!({ "type": "integer" }));
        let merged = merged(vec![document("Wallet", "/a", &text), document("Admin", "/b", &number)]);
        assert_eq!(names(&merged, "/components/schemas"), ["AdminItem", "AdminPage", "Item", "Page"]);
        let reference = |pointer: &str| merged.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        let schema = "get/responses/200/content/application~1json/schema/$ref";
        assert_eq!(reference(&format!("/paths/~1a/{schema}")), format!("{SCHEMAS}Page"));
        assert_eq!(reference(&format!("/paths/~1b/{schema}")), format!("{SCHEMAS}AdminPage"));
        let items = reference("/components/schemas/AdminPage/properties/items/items/$ref");
        assert_eq!(items, format!("{SCHEMAS}AdminItem"));
    }

    #[test]
    fn of_nothing_is_nothing_and_of_one_is_itself() {
        assert_eq!(merged(Vec::new())["paths"], json!({}));
        let one = document("Wallet", "/a", &json!({ "type": "string" }));
        assert_eq!(merged(vec![one.clone()]), merged(vec![one.clone(), one]));
    }
}
