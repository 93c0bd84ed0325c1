//! The numbers of Kong's prometheus plugin, under Kong's names, so that one dashboard reads both. They are kept here
//! and not in the process's recorder, where the services of a `standalone` keep theirs.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{balancer::Balancer, config::PrometheusConfig};

/// Milliseconds, as in Kong.
const KONG_BUCKETS: [u64; 17] = [1, 2, 5, 7, 10, 15, 20, 30, 50, 75, 100, 200, 500, 750, 1000, 3000, 6000];
const UPSTREAM_BUCKETS: [u64; 13] =
    [25, 50, 80, 100, 250, 400, 700, 1000, 2000, 5000, 10_000, 30_000, 60_000];

#[derive(Debug)]
struct Histogram {
    bounds: &'static [u64],
    counts: Vec<AtomicU64>,
    sum: AtomicU64,
    count: AtomicU64,
}

impl Histogram {
    fn new(bounds: &'static [u64]) -> Self {
        let counts = bounds.iter().map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum: AtomicU64::new(0), count: AtomicU64::new(0) }
    }

    fn observe(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        for (bound, count) in self.bounds.iter().zip(&self.counts) {
            if millis <= *bound {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.sum.fetch_add(millis, Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    fn render(&self, name: &str, labels: &str, out: &mut Page) {
        for (bound, count) in self.bounds.iter().zip(&self.counts) {
            out.line(
                &format!("{name}_bucket"),
                &format!("{labels},le=\"{bound}\""),
                count.load(Ordering::Relaxed),
            );
        }
        let count = self.count.load(Ordering::Relaxed);
        out.line(&format!("{name}_bucket"), &format!("{labels},le=\"+Inf\""), count);
        out.line(&format!("{name}_count"), labels, count);
        out.line(&format!("{name}_sum"), labels, self.sum.load(Ordering::Relaxed));
    }
}

/// The numbers of one route.
#[derive(Debug)]
pub(crate) struct RouteMetrics {
    service: String,
    route: String,
    answers: Mutex<BTreeMap<(u16, &'static str), u64>>,
    ingress: AtomicU64,
    egress: AtomicU64,
    total: Histogram,
    upstream: Histogram,
    own: Histogram,
}

/// One call, when it is over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Observation {
    pub(crate) status: u16,
    /// `service`, or `kong` for an answer of our own.
    pub(crate) served: bool,
    pub(crate) ingress: u64,
    pub(crate) egress: u64,
    pub(crate) total: Duration,
    /// How long the service took, where it was called.
    pub(crate) upstream: Option<Duration>,
}

impl RouteMetrics {
    pub(crate) fn new(service: &str, route: &str) -> Self {
        Self {
            service: service.to_owned(),
            route: route.to_owned(),
            answers: Mutex::default(),
            ingress: AtomicU64::new(0),
            egress: AtomicU64::new(0),
            total: Histogram::new(&UPSTREAM_BUCKETS),
            upstream: Histogram::new(&UPSTREAM_BUCKETS),
            own: Histogram::new(&KONG_BUCKETS),
        }
    }

    pub(crate) fn observe(&self, config: PrometheusConfig, seen: &Observation) {
        if config.status_code_metrics {
            let source = if seen.served { "service" } else { "kong" };
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            *answers.entry((seen.status, source)).or_default() += 1;
        }
        if config.bandwidth_metrics {
            self.ingress.fetch_add(seen.ingress, Ordering::Relaxed);
            self.egress.fetch_add(seen.egress, Ordering::Relaxed);
        }
        if config.latency_metrics {
            self.total.observe(seen.total);
            if let Some(upstream) = seen.upstream {
                self.upstream.observe(upstream);
            }
            self.own.observe(seen.total.saturating_sub(seen.upstream.unwrap_or_default()));
        }
    }

    fn labels(&self) -> String {
        format!("service=\"{}\",route=\"{}\"", self.service, self.route)
    }

    fn seen(&self) -> bool {
        self.total.count.load(Ordering::Relaxed) > 0
    }
}

type Pick = fn(&RouteMetrics) -> &Histogram;

/// The whole page.
pub(crate) fn page(requests: u64, routes: &[&RouteMetrics], balancers: &[&Balancer]) -> String {
    let mut out = Page(String::new());
    out.head("kong_http_requests_total", "counter", "HTTP status codes per consumer/service/route in Kong");
    for route in routes {
        let answers = route.answers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for ((code, source), count) in answers {
            let labels = route.labels();
            let labels =
                format!("{labels},code=\"{code}\",source=\"{source}\",workspace=\"default\",consumer=\"\"");
            out.line("kong_http_requests_total", &labels, count);
        }
    }
    out.head("kong_bandwidth_bytes", "counter", "Total bandwidth (ingress/egress) throughput in bytes");
    for route in routes {
        for (direction, bytes) in [("ingress", &route.ingress), ("egress", &route.egress)] {
            let bytes = bytes.load(Ordering::Relaxed);
            if bytes > 0 {
                let labels = route.labels();
                let labels =
                    format!("{labels},direction=\"{direction}\",workspace=\"default\",consumer=\"\"");
                out.line("kong_bandwidth_bytes", &labels, bytes);
            }
        }
    }
    let histograms: [(&str, &str, Pick); 3] = [
        ("kong_request_latency_ms", "Total latency incurred during requests", |route| &route.total),
        ("kong_upstream_latency_ms", "Latency added by upstream response", |route| &route.upstream),
        ("kong_kong_latency_ms", "Latency added by Kong and enabled plugins", |route| &route.own),
    ];
    for (name, help, of) in histograms {
        out.head(name, "histogram", help);
        for route in routes.iter().filter(|route| route.seen()) {
            of(route).render(name, &format!("{},workspace=\"default\"", route.labels()), &mut out);
        }
    }
    out.head(
        "kong_upstream_target_health",
        "gauge",
        "Health status of targets of upstream, 1 for the state it is in",
    );
    for balancer in balancers {
        targets(balancer, &mut out);
    }
    out.head("kong_nginx_requests_total", "gauge", "Number of requests total");
    out.line("kong_nginx_requests_total", "node_id=\"embedded\",subsystem=\"http\"", requests);
    out.head("kong_node_info", "gauge", "Kong Node metadata information");
    out.line("kong_node_info", &format!("node_id=\"embedded\",version=\"{}\"", env!("CARGO_PKG_VERSION")), 1);
    out.0
}

fn targets(balancer: &Balancer, out: &mut Page) {
    for peer in &balancer.peers {
        let is = match (peer.is_checked(), peer.health.is_up()) {
            (false, _) => "healthchecks_off",
            (true, true) => "healthy",
            (true, false) => "unhealthy",
        };
        for state in ["healthchecks_off", "healthy", "unhealthy", "dns_error"] {
            let (upstream, target) = (&balancer.name, &peer.name);
            let labels = format!(
                "upstream=\"{upstream}\",target=\"{target}\",address=\"{target}\",state=\"{state}\",subsystem=\"http\""
            );
            out.line("kong_upstream_target_health", &labels, u64::from(state == is));
        }
    }
}

/// The text exposition format. Names in the file are plain, so labels need no escaping beyond that.
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &str, value: u64) {
        let _ = writeln!(self.0, "{name}{{{labels}}} {value}");
    }
}
