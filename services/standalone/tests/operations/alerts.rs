//! Prometheus: it scrapes what listens, and each alert has a test and a line that says what to do.

use std::{collections::BTreeSet, fs, process::Command};

use serde_json::Value;

use crate::files::{found, path, text, yaml};

fn rules() -> Vec<Value> {
    let mut rules = Vec::new();
    for entry in fs::read_dir(path("prometheus/rules")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        for group in yaml(&format!("prometheus/rules/{name}"))["groups"].as_array().unwrap() {
            rules.extend(group["rules"].as_array().unwrap().iter().cloned());
        }
    }
    assert!(rules.len() > 10);
    rules
}

#[test]
fn prometheus_accepts_the_configurations() {
    for file in ["prometheus/prometheus.yml", "prometheus/dev.yml", "prometheus/cluster.yml"] {
        let check = Command::new("promtool").args(["check", "config"]).arg(path(file)).output();
        let check = check.expect("promtool is missing: apt-get install prometheus");
        assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
    }
}

#[test]
fn both_configurations_have_the_same_jobs_and_rules() {
    let (compose, development) = (yaml("prometheus/prometheus.yml"), yaml("prometheus/dev.yml"));
    let jobs = |config: &Value| -> Vec<Value> {
        config["scrape_configs"].as_array().unwrap().iter().map(|job| job["job_name"].clone()).collect()
    };
    assert_eq!(jobs(&compose), ["identity", "wallet", "transaction", "admin", "gateway", "prometheus"]);
    assert_eq!(jobs(&development), jobs(&compose));
    assert_eq!(development["rule_files"], compose["rule_files"]);
    // A cluster has the exporter of Kafka's own metrics beside them, and nothing else is different.
    let mut cluster = yaml("prometheus/cluster.yml");
    let scraped = cluster["scrape_configs"].as_array_mut().unwrap();
    scraped.retain(|job| job["job_name"] != "kafka");
    assert_eq!(cluster, compose);
}

#[test]
fn every_alert_says_what_happens_and_what_to_do() {
    let handbook = text("docs/operations.md");
    let described = found(r"(?m)^### (\w+)$", &handbook);
    let mut named = BTreeSet::new();
    for rule in rules() {
        let name = rule["alert"].as_str().unwrap();
        assert!(named.insert(name.to_owned()), "{name} twice");
        assert!(["critical", "warning"].contains(&rule["labels"]["severity"].as_str().unwrap()), "{name}");
        for annotation in ["summary", "description"] {
            assert!(rule["annotations"][annotation].is_string(), "{name}: {annotation}");
        }
        let runbook = format!("docs/operations.md#{}", name.to_lowercase());
        assert_eq!(rule["annotations"]["runbook"], runbook.as_str(), "{name}");
    }
    assert_eq!(described, named, "docs/operations.md describes each alert, and no other");
}

#[test]
fn every_alert_is_tested_to_fire() {
    let mut fired = BTreeSet::new();
    for entry in fs::read_dir(path("prometheus/tests")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name.ends_with("_test.yml"), "scripts/test.sh would not run {name}");
        for test in yaml(&format!("prometheus/tests/{name}"))["tests"].as_array().unwrap() {
            for case in test["alert_rule_test"].as_array().unwrap() {
                if !case["exp_alerts"].as_array().unwrap().is_empty() {
                    fired.insert(case["alertname"].as_str().unwrap().to_owned());
                }
            }
        }
    }
    let named: BTreeSet<String> =
        rules().iter().map(|rule| rule["alert"].as_str().unwrap().to_owned()).collect();
    assert_eq!(fired, named);
}
