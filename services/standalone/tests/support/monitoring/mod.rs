//! Whether what dashboards and alerts ask for is really there.
//!
//! A Prometheus of our own scrapes the given addresses; then every query of every panel, every variable and every
//! alert rule is put to it. A query that it refuses, a metric or a label that no scraped series has, and a
//! legend that names a label which the answer lacks are problems. A query without data is none: a healthy platform has
//! no errors to show.

pub(crate) mod exporter;
pub(crate) mod prometheus;
pub(crate) mod promql;
pub(crate) mod queries;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use prometheus::Prometheus;
use promql::Use;
use queries::Query;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) queries: usize,
    /// Queries that gave data.
    pub(crate) answered: usize,
    pub(crate) problems: Vec<Problem>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    Refused { origin: String, reason: String },
    NoMetric { origin: String, metric: String },
    NoLabel { origin: String, metric: String, label: String },
    NoLegend { origin: String, label: String },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { origin, reason } => write!(f, "{origin}: the query is refused: {reason}"),
            Self::NoMetric { origin, metric } => write!(f, "{origin}: nobody exports {metric}"),
            Self::NoLabel { origin, metric, label } => write!(f, "{origin}: {metric} has no label {label}"),
            Self::NoLegend { origin, label } => {
                write!(f, "{origin}: the legend's {label} is not in the answer")
            }
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} queries, {} with data, {} problems",
            self.queries,
            self.answered,
            self.problems.len()
        )?;
        self.problems.iter().try_for_each(|problem| writeln!(f, "  {problem}"))
    }
}

/// Puts all that dashboards and alerts ask to the services at `targets`, which are jobs with their `host:port`.
pub(crate) async fn check_dashboards(targets: &[(&str, &str)]) -> anyhow::Result<Report> {
    check(&queries::all()?, targets).await
}

pub(crate) async fn check(queries: &[Query], targets: &[(&str, &str)]) -> anyhow::Result<Report> {
    let prometheus = Prometheus::start(targets).await?;
    let mut report = Report::default();
    let mut known = BTreeMap::new();
    for query in queries {
        ask(&prometheus, query, &mut known, &mut report).await?;
    }
    prometheus.stop().await?;
    Ok(report)
}

async fn ask(
    prometheus: &Prometheus,
    query: &Query,
    known: &mut BTreeMap<String, BTreeSet<String>>,
    report: &mut Report,
) -> anyhow::Result<()> {
    let origin = || query.origin.clone();
    report.queries += 1;
    for Use { metric, labels } in &query.uses {
        if !known.contains_key(metric) {
            known.insert(metric.clone(), prometheus.labels_of(metric).await?);
        }
        let there = &known[metric];
        if there.is_empty() {
            report.problems.push(Problem::NoMetric { origin: origin(), metric: metric.clone() });
            continue;
        }
        for label in labels.difference(there) {
            let (metric, label) = (metric.clone(), label.clone());
            report.problems.push(Problem::NoLabel { origin: origin(), metric, label });
        }
    }
    let Some(expr) = &query.expr else { return Ok(()) };
    match prometheus.query(expr).await? {
        Err(reason) => report.problems.push(Problem::Refused { origin: origin(), reason }),
        Ok(series) => {
            report.answered += usize::from(!series.is_empty());
            for label in &query.legend {
                if series.iter().any(|labels| !labels.contains(label)) {
                    report.problems.push(Problem::NoLegend { origin: origin(), label: label.clone() });
                }
            }
        }
    }
    Ok(())
}
