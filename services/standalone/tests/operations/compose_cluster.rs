//! `docker-compose.cluster.yml` over `docker-compose.yml`: three brokers that know each other, and everybody who is to know them.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::files::{text, yaml};

const BROKERS: [&str; 3] = ["kafka", "kafka-2", "kafka-3"];
const OURS: [&str; 4] = ["identity", "wallet", "transaction", "admin"];

fn services(file: &str) -> Map<String, Value> {
    yaml(file)["services"].as_object().unwrap().clone()
}

fn cluster() -> Map<String, Value> {
    services("docker-compose.cluster.yml")
}

fn words(value: &Value) -> BTreeSet<&str> {
    value.as_str().unwrap().split(',').collect()
}

#[test]
fn the_brokers_are_three_and_know_each_other() {
    let (base, cluster) = (services("docker-compose.yml"), cluster());
    let voters: BTreeSet<String> =
        (1..).zip(BROKERS).map(|(node, name)| format!("{node}@{name}:9093")).collect();
    for (node, name) in (1..).zip(BROKERS) {
        let environment = &cluster[name]["environment"];
        assert_eq!(environment["KAFKA_NODE_ID"], node, "{name}");
        assert_eq!(environment["KAFKA_ADVERTISED_LISTENERS"], format!("BROKER://{name}:9092"));
        let known: BTreeSet<String> =
            words(&environment["KAFKA_CONTROLLER_QUORUM_VOTERS"]).into_iter().map(str::to_owned).collect();
        assert_eq!(known, voters, "{name}");
        assert_eq!(environment["CLUSTER_ID"], cluster["kafka"]["environment"]["CLUSTER_ID"]);
        // The first is a service of the file below, with other settings.
        let image = if name == "kafka" { &base[name]["image"] } else { &cluster[name]["image"] };
        assert_eq!(image, &base["kafka"]["image"], "{name}");
    }
}

#[test]
fn they_keep_what_the_topics_ask_for() {
    let topics: Vec<Value> = serde_json::from_str(&text("libraries/common-events/topics.json")).unwrap();
    let largest = topics.iter().map(|topic| topic["maxMessageBytes"].as_i64().unwrap()).max().unwrap();
    for name in BROKERS {
        let environment = &cluster()[name]["environment"];
        assert!(environment["KAFKA_MESSAGE_MAX_BYTES"].as_i64().unwrap() >= largest, "{name}");
        assert!(environment["KAFKA_REPLICA_FETCH_MAX_BYTES"].as_i64().unwrap() >= largest, "{name}");
        assert_eq!(environment["KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR"], 3);
        assert_eq!(environment["KAFKA_UNCLEAN_LEADER_ELECTION_ENABLE"], "false");
    }
}

#[test]
fn everybody_who_needs_them_knows_all_of_them() {
    let cluster = cluster();
    let all: BTreeSet<String> = BROKERS.map(|name| format!("{name}:9092")).into();
    let known = |value: &Value| words(value).into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
    for name in OURS.iter().chain(&["kafka-topics"]) {
        assert_eq!(known(&cluster[*name]["environment"]["KAFKA_BROKERS"]), all, "{name}");
    }
    assert_eq!(known(&cluster["kafka-ui"]["environment"]["KAFKA_CLUSTERS_0_BOOTSTRAPSERVERS"]), all);
    let exporter: BTreeSet<String> = cluster["kafka-exporter"]["command"]
        .as_array()
        .unwrap()
        .iter()
        .map(|flag| flag.as_str().unwrap().trim_start_matches("--kafka.server=").to_owned())
        .collect();
    assert_eq!(exporter, all);
    // Topics are made when all brokers are there.
    let base = services("docker-compose.yml");
    for name in BROKERS {
        let waits = [&base, &cluster].map(|file| &file["kafka-topics"]["depends_on"][name]["condition"]);
        assert!(waits.contains(&&Value::from("service_healthy")), "{name}");
    }
}

#[test]
fn what_it_adds_is_pinned_bound_to_loopback_and_there() {
    let (base, cluster) = (services("docker-compose.yml"), cluster());
    let volumes = yaml("docker-compose.cluster.yml")["volumes"].as_object().unwrap().clone();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut published = BTreeSet::new();
    for (name, service) in &cluster {
        match service["image"].as_str() {
            Some(image) => {
                let tag = image.rsplit_once(':').map(|(_, tag)| tag);
                assert!(tag.is_some_and(|tag| tag.contains('.')), "{name}: {image}");
            }
            None => assert!(base.contains_key(name), "{name} is in no file"),
        }
        for port in list(&service["ports"]) {
            let port = port.as_str().unwrap();
            assert!(port.starts_with("127.0.0.1:"), "{name}: {port}");
            assert!(published.insert(port.split(':').nth(1).unwrap().to_owned()), "{name}: {port}");
        }
        for volume in list(&service["volumes"]) {
            let source = volume.as_str().unwrap().split(':').next().unwrap().to_owned();
            assert!(volumes.contains_key(&source), "{name}: {source}");
        }
        for other in service["depends_on"].as_object().into_iter().flat_map(Map::keys) {
            assert!(cluster.contains_key(other) || base.contains_key(other), "{name} waits for {other}");
        }
    }
    for (name, service) in &base {
        for port in list(&service["ports"]) {
            let port = port.as_str().unwrap().split(':').nth(1).unwrap().to_owned();
            assert!(!published.contains(&port), "{name} and another one publish {port}");
        }
    }
}
