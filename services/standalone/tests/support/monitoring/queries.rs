//! All that dashboards and alerts ask, with template variables replaced by what matches everything.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use serde_json::Value;

use super::promql::{Use, uses};

/// One question, and where it is asked.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    pub(crate) origin: String,
    /// None for a variable, which lists labels and evaluates nothing.
    pub(crate) expr: Option<String>,
    pub(crate) uses: Vec<Use>,
    /// Labels that the legend names.
    pub(crate) legend: BTreeSet<String>,
}

impl Query {
    pub(crate) fn new(origin: &str, expr: &str, legend: &str) -> anyhow::Result<Self> {
        let expr = expr.replace("$__rate_interval", "30s").replace("$job", ".+").replace("$instance", ".+");
        let uses = uses(&expr).with_context(|| format!("{origin}: {expr}"))?;
        Ok(Self { origin: origin.to_owned(), expr: Some(expr), uses, legend: legend_labels(legend) })
    }

    /// `label_values(metric{…}, label)`
    fn of_variable(origin: &str, query: &str) -> anyhow::Result<Self> {
        let inner = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
        let (selector, label) =
            inner.and_then(|inner| inner.rsplit_once(", ")).with_context(|| format!("{origin}: {query}"))?;
        let mut query = Self::new(origin, selector, "")?;
        for used in &mut query.uses {
            used.labels.insert(label.to_owned());
        }
        Ok(Self { expr: None, ..query })
    }
}

fn legend_labels(legend: &str) -> BTreeSet<String> {
    legend
        .split("{{")
        .skip(1)
        .filter_map(|part| part.split_once("}}"))
        .map(|(name, _)| name.trim().to_owned())
        .collect()
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub(crate) fn all() -> anyhow::Result<Vec<Query>> {
    let mut queries = Vec::new();
    for path in files("grafana/dashboards", "json")? {
        dashboard(&serde_json::from_slice(&fs::read(&path)?)?, &mut queries)
            .with_context(|| path.display().to_string())?;
    }
    for path in files("prometheus/rules", "yml")? {
        rules(&serde_yaml_ng::from_slice(&fs::read(&path)?)?, &mut queries)
            .with_context(|| path.display().to_string())?;
    }
    Ok(queries)
}

fn files(folder: &str, extension: &str) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(root().join(folder)).with_context(|| folder.to_owned())?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    Ok(paths)
}

fn dashboard(dashboard: &Value, queries: &mut Vec<Query>) -> anyhow::Result<()> {
    let title = text(&dashboard["title"])?;
    for variable in list(&dashboard["templating"]["list"])? {
        if variable["type"] == "query" {
            let origin = format!("{title} / variable {}", text(&variable["name"])?);
            queries.push(Query::of_variable(&origin, text(&variable["query"]["query"])?)?);
        }
    }
    for panel in list(&dashboard["panels"])? {
        let origin = format!("{title} / {}", text(&panel["title"])?);
        for target in panel["targets"].as_array().into_iter().flatten() {
            queries.push(Query::new(&origin, text(&target["expr"])?, text(&target["legendFormat"])?)?);
        }
    }
    Ok(())
}

fn rules(file: &Value, queries: &mut Vec<Query>) -> anyhow::Result<()> {
    for group in list(&file["groups"])? {
        for rule in list(&group["rules"])? {
            let origin = format!("alert {}", text(&rule["alert"])?);
            queries.push(Query::new(&origin, text(&rule["expr"])?, "")?);
        }
    }
    Ok(())
}

fn text(value: &Value) -> anyhow::Result<&str> {
    value.as_str().with_context(|| format!("{value} is no text"))
}

fn list(value: &Value) -> anyhow::Result<&Vec<Value>> {
    value.as_array().with_context(|| format!("{value} is no list"))
}
