//! One recorder a process; each service's `/metrics` shows what carries its own `service` label, so that
//! `standalone`, where four services share the recorder, is scraped like four processes.

use std::{sync::OnceLock, time::Duration};

use axum::{Router, http::header, routing::get};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// Seconds: from the cache hit to the deadline.
const DURATION_BUCKETS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Counts of things in a batch.
const SIZE_BUCKETS: &[f64] = &[1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0];

/// Installs the recorder; a second call changes nothing.
pub fn install() -> anyhow::Result<()> {
    if HANDLE.get().is_some() {
        return Ok(());
    }
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), DURATION_BUCKETS)?
        .set_buckets_for_metric(Matcher::Suffix("_size".to_owned()), SIZE_BUCKETS)?
        .build_recorder();
    let handle = recorder.handle();
    if HANDLE.set(handle).is_ok() {
        metrics::set_global_recorder(recorder).map_err(|error| anyhow::anyhow!("metrics: {error}"))?;
        Collector::default().describe();
    }
    Ok(())
}

/// Drains histograms that nobody scrapes; run it in the background.
pub async fn upkeep() {
    let mut tick = tokio::time::interval(Duration::from_secs(5));
    loop {
        tick.tick().await;
        if let Some(handle) = HANDLE.get() {
            handle.run_upkeep();
        }
    }
}

pub(crate) fn router(service: &'static str) -> Router {
    Router::new().route(
        "/metrics",
        get(async move || ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], render(service))),
    )
}

/// What `service` exports, in Prometheus' text format. Empty before [`install`].
pub fn render(service: &str) -> String {
    Collector::default().collect();
    HANDLE.get().map(|handle| own_lines(&handle.render(), service)).unwrap_or_default()
}

/// Leaves out samples of other services, and families of which none is left.
fn own_lines(text: &str, service: &str) -> String {
    let own = format!("service=\"{service}\"");
    let mut kept = String::with_capacity(text.len());
    let mut heading = String::new();
    for line in text.lines() {
        if line.starts_with('#') {
            if line.starts_with("# HELP") || !heading.starts_with("# HELP") || heading.lines().count() > 1 {
                heading.clear();
            }
            heading.push_str(line);
            heading.push('\n');
        } else if !line.is_empty() && (!line.contains("service=\"") || line.contains(&own)) {
            kept.push_str(&heading);
            heading.clear();
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_services_samples_are_left_out() {
        let text = "# HELP a A.\n# TYPE a counter\na{service=\"wallet\"} 1\na{service=\"admin\"} 2\n\n# TYPE b gauge\n\
                    b{service=\"admin\"} 3\n\n# TYPE c gauge\nc 4\n";
        assert_eq!(
            own_lines(text, "wallet"),
            "# HELP a A.\n# TYPE a counter\na{service=\"wallet\"} 1\n# TYPE c gauge\nc 4\n"
        );
    }
}
