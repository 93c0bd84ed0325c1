//! Grafana: the dashboards are well formed, and ask only for what is exported. Against running services that is
//! `monitoring::check_dashboards`; here, against the sources, and against an exporter that proves the check itself.

use std::{collections::BTreeSet, fs};

use serde_json::Value;

use crate::{
    files::{found, path, sources, text, yaml},
    monitoring::{self, Problem, exporter, queries::Query},
};

/// What the crate metrics-process exports, and Prometheus itself.
const FOREIGN: [&str; 9] = [
    "up",
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_threads",
    "process_virtual_memory_bytes",
    "process_virtual_memory_max_bytes",
];

fn dashboards() -> Vec<Value> {
    let files = fs::read_dir(path("grafana/dashboards")).unwrap();
    files.map(|entry| serde_json::from_slice(&fs::read(entry.unwrap().path()).unwrap()).unwrap()).collect()
}

fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row")
}

#[test]
fn there_are_four_and_grafana_finds_them() {
    let dashboards = dashboards();
    let of = |field: &str| -> BTreeSet<String> {
        dashboards.iter().map(|dashboard| dashboard[field].as_str().unwrap().to_owned()).collect()
    };
    let titles = ["API Gateway Overview", "Database Performance", "Kafka Metrics", "Service Health"];
    assert_eq!(of("title"), titles.map(str::to_owned).into());
    assert_eq!(of("uid").len(), 4, "each has a uid of its own");

    let folder = &yaml("grafana/provisioning/dashboards/wallet.yml")["providers"][0]["options"]["path"];
    let compose = yaml("docker-compose.yml");
    let mount = format!("./grafana/dashboards:{}:ro", folder.as_str().unwrap());
    let mounts = compose["services"]["grafana"]["volumes"].as_array().unwrap();
    assert!(mounts.contains(&mount.into()), "{mounts:?}");
    assert_eq!(
        yaml("grafana/provisioning/datasources/prometheus.yml")["datasources"][0]["uid"],
        "prometheus"
    );
}

/// The rules of Grafana's dashboard-linter.
#[test]
fn dashboards_keep_the_rules() {
    for dashboard in dashboards() {
        let title = dashboard["title"].as_str().unwrap();
        assert_eq!(dashboard["editable"], false, "{title}");
        let variables = dashboard["templating"]["list"].as_array().unwrap();
        let names: Vec<&str> = variables.iter().map(|variable| variable["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["datasource", "job", "instance"], "{title}");
        for variable in &variables[1..] {
            assert_eq!(variable["datasource"]["uid"], "${datasource}", "{title}");
            assert_eq!(variable["allValue"], ".+", "{title}");
            assert_eq!(variable["refresh"], 2, "{title}: read again when the time range changes");
            assert!(
                variable["multi"].as_bool().unwrap() && variable["includeAll"].as_bool().unwrap(),
                "{title}"
            );
        }
        let mut titles = BTreeSet::new();
        for panel in panels(&dashboard) {
            let at = format!("{title} / {}", panel["title"]);
            assert!(titles.insert(panel["title"].as_str().unwrap()), "{at}: twice");
            assert!(
                panel["description"].as_str().is_some_and(|words| !words.is_empty()),
                "{at}: no description"
            );
            assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{at}: no unit");
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{at}");
            let targets = panel["targets"].as_array().unwrap();
            assert!(!targets.is_empty(), "{at}: asks nothing");
            for target in targets {
                target_keeps_the_rules(&at, target);
            }
        }
    }
}

fn target_keeps_the_rules(at: &str, target: &Value) {
    let expr = target["expr"].as_str().unwrap();
    assert_eq!(target["datasource"]["uid"], "${datasource}", "{at}");
    let selectors = expr.matches('{').count();
    assert!(selectors > 0, "{at}");
    for matcher in [r#"job=~"$job""#, r#"instance=~"$instance""#] {
        assert_eq!(expr.matches(matcher).count(), selectors, "{at}: {matcher} in every selector of {expr}");
    }
    assert_eq!(expr.matches('[').count(), expr.matches("[$__rate_interval]").count(), "{at}: {expr}");
    for used in &Query::new(at, expr, "").unwrap().uses {
        // What only grows says something by its growth; the dead letters are wanted as a number.
        let counter = used.metric.ends_with("_total") || used.metric.ends_with("_bucket");
        let rated = expr.contains(&format!("rate({}{{", used.metric));
        let wanted_as_number = expr.contains(r#"outcome="dead_letter""#);
        assert!(!counter || rated || wanted_as_number, "{at}: {} without rate()", used.metric);
    }
}

#[test]
fn panels_lie_side_by_side() {
    for dashboard in dashboards() {
        let mut taken = BTreeSet::new();
        for panel in dashboard["panels"].as_array().unwrap() {
            let [x, y, w, h] = ["x", "y", "w", "h"].map(|field| panel["gridPos"][field].as_u64().unwrap());
            assert!(x + w <= 24, "{}", panel["title"]);
            for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
                assert!(
                    taken.insert(cell),
                    "{}: {} covers another panel",
                    dashboard["title"],
                    panel["title"]
                );
            }
        }
    }
}

#[test]
fn every_metric_is_named_in_the_sources() {
    let services = found(r#""(wallet_[a-z_]+)""#, &sources(&["libraries", "services"]));
    let gateway = found(r#""(kong_[a-z_]+)""#, &text("gateway/src/metrics.rs"));
    let brokers = found(r"(?m)^(kafka_[a-z_]+)", exporter::KAFKA);
    for query in monitoring::queries::all().unwrap() {
        for used in query.uses {
            let metric = used.metric.as_str();
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|part| metric.strip_suffix(part));
            let known = |name: &str| {
                [&services, &gateway, &brokers].iter().any(|all| all.contains(name))
                    || FOREIGN.contains(&name)
            };
            assert!(known(metric) || family.is_some_and(known), "{}: nobody exports {metric}", query.origin);
        }
    }
}

const PAGE: &str = "# TYPE wallet_things_total counter\n\
                    wallet_things_total{service=\"wallet\",kind=\"good\"} 5\n\
                    wallet_things_total{service=\"wallet\",kind=\"bad\"} 1\n";

#[tokio::test]
async fn the_check_finds_what_is_missing() {
    let address = exporter::serve(PAGE).await;
    let rate = |selector: &str| format!("rate(wallet_things_total{{{selector}}}[$__rate_interval])");
    let by_kind = format!("sum by (kind) ({})", rate(r#"job=~"$job""#));
    let queries = [
        Query::new("good", &by_kind, "{{kind}}").unwrap(),
        Query::new("legend", &by_kind, "{{kind}} {{service}}").unwrap(),
        Query::new("matcher", &rate(r#"colour="red""#), "").unwrap(),
        Query::new("grouping", &format!("sum by (flavour) ({})", rate("")), "").unwrap(),
        Query::new("metric", "wallet_other_things_total", "").unwrap(),
        Query::new("type", "rate(wallet_things_total)", "").unwrap(),
    ];
    let report = monitoring::check(&queries, &[("wallet", &address)]).await.unwrap();
    let metric = || "wallet_things_total".to_owned();
    let (first, last) = report.problems.split_at(4);
    assert_eq!(
        first,
        [
            Problem::NoLegend { origin: "legend".into(), label: "service".into() },
            Problem::NoLabel { origin: "matcher".into(), metric: metric(), label: "colour".into() },
            Problem::NoLabel { origin: "grouping".into(), metric: metric(), label: "flavour".into() },
            Problem::NoMetric { origin: "metric".into(), metric: "wallet_other_things_total".into() },
        ]
    );
    assert!(matches!(last, [Problem::Refused { origin, .. }] if origin == "type"), "{report}");
    assert_eq!((report.queries, report.answered), (6, 3), "{report}");
}

/// Metrics and labels are missing here, of course: nobody is running.
#[tokio::test]
async fn prometheus_understands_every_query() {
    let address = exporter::serve(PAGE).await;
    let report = monitoring::check_dashboards(&[("wallet", &address)]).await.unwrap();
    let refused: Vec<&Problem> =
        report.problems.iter().filter(|problem| matches!(problem, Problem::Refused { .. })).collect();
    assert!(refused.is_empty(), "{refused:?}");
    assert!(report.queries > 80, "{report}");
}
