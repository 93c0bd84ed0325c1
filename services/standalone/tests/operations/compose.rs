//! docker-compose.yml, without a Docker engine. The types below are the part of the compose specification that the
//! file uses; a key that they do not know is an error, as it is for compose. Then: all that the file names exists.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use ipnet::Ipv4Net;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    dockerfile::stages,
    files::{found, path, sources, text, yaml},
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Compose {
    name: String,
    services: BTreeMap<String, Service>,
    networks: BTreeMap<String, Network>,
    volumes: BTreeMap<String, Option<Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Network {
    ipam: AddressManagement,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AddressManagement {
    config: Vec<Range>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    subnet: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    ipv4_address: Ipv4Addr,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Service {
    image: String,
    build: Option<Build>,
    restart: Restart,
    #[serde(default)]
    entrypoint: Vec<String>,
    #[serde(default)]
    command: Vec<String>,
    #[serde(default)]
    environment: BTreeMap<String, Scalar>,
    #[serde(default)]
    ports: Vec<String>,
    #[serde(default)]
    volumes: Vec<String>,
    #[serde(default)]
    depends_on: BTreeMap<String, Dependency>,
    healthcheck: Option<HealthCheck>,
    #[serde(default)]
    read_only: bool,
    #[serde(default)]
    cap_drop: Vec<String>,
    #[serde(default)]
    security_opt: Vec<String>,
    stop_grace_period: Option<String>,
    #[serde(default)]
    networks: BTreeMap<String, Place>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Build {
    context: String,
    target: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Restart {
    No,
    UnlessStopped,
}

/// A truth value would have to be quoted: compose refuses it as a variable.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Scalar {
    Number(i64),
    Text(String),
}

impl Scalar {
    fn text(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Dependency {
    condition: Condition,
    /// Whoever waits is started anew when what it waits for is.
    #[serde(default)]
    restart: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Condition {
    ServiceHealthy,
    ServiceCompletedSuccessfully,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum HealthCheck {
    Probe(Probe),
    Off(Off),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Probe {
    test: Vec<String>,
    interval: String,
    timeout: String,
    retries: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Off {
    disable: bool,
}

fn compose() -> Compose {
    let mut file = yaml("docker-compose.yml");
    // Extensions: they only hold anchors.
    file.as_object_mut().unwrap().retain(|key, _| !key.starts_with("x-"));
    serde_json::from_value(file).unwrap()
}

/// Where each service listens, by the fixed ports of our own and the manuals of the others.
fn listens(name: &str, service: &Service) -> BTreeSet<u16> {
    let own = service.build.as_ref().and_then(|build| stages()[&build.target].port());
    let foreign: &[u16] = match name {
        "postgres" => &[5432],
        "redis" => &[6379],
        "kafka" => &[9092],
        "kong" => &[8000, 8100],
        "prometheus" => &[9090],
        "grafana" => &[3000],
        "jaeger" => &[4318, 16686],
        _ => &[],
    };
    own.into_iter().chain(foreign.iter().copied()).collect()
}

fn assert_reachable(compose: &Compose, at: &str, address: &str) {
    let (host, port) = address.split_once(':').unwrap_or_else(|| panic!("{at}: {address}"));
    let service = compose.services.get(host).unwrap_or_else(|| panic!("{at}: there is no service {host}"));
    assert!(
        listens(host, service).contains(&port.parse().unwrap()),
        "{at}: {host} does not listen on {port}"
    );
}

#[test]
fn the_platform_is_complete() {
    let compose = compose();
    assert_eq!(compose.name, "wallet-platform");
    for (name, port) in
        [("identity", 3001), ("wallet", 3002), ("transaction", 3003), ("admin", 3004), ("kong", 8000)]
    {
        let published = format!("127.0.0.1:{port}:{port}");
        assert!(compose.services[name].ports.contains(&published), "{name}");
    }
    for name in ["postgres", "redis", "kafka", "migrate", "provider-twin", "prometheus", "grafana", "jaeger"]
    {
        assert!(compose.services.contains_key(name), "{name}");
    }
}

#[test]
fn ports_are_published_on_loopback_only_and_lead_somewhere() {
    let mut published = BTreeSet::new();
    for (name, service) in &compose().services {
        for port in &service.ports {
            let [host, outside, inside] = port.split(':').collect::<Vec<_>>()[..] else {
                panic!("{name}: {port}")
            };
            assert_eq!(host, "127.0.0.1", "{name}: {port}");
            assert!(published.insert(outside.to_owned()), "{name}: {outside} is published twice");
            assert!(listens(name, service).contains(&inside.parse().unwrap()), "{name}: {port}");
        }
    }
}

#[test]
fn images_are_pinned_or_built_here() {
    let compose = compose();
    let stages = stages();
    let mut made_here = BTreeSet::new();
    for (name, service) in &compose.services {
        let Some(build) = &service.build else { continue };
        assert_eq!(build.context, ".", "{name}");
        assert_eq!(stages.get(&build.target).map(|stage| stage.base.as_str()), Some("runtime"), "{name}");
        assert_eq!(service.image, format!("wallet-platform/{}:development", build.target), "{name}");
        made_here.insert(&service.image);
    }
    for (name, service) in compose.services.iter().filter(|(_, service)| !made_here.contains(&service.image))
    {
        let tag = service.image.rsplit_once(':').unwrap_or_else(|| panic!("{name}: no tag")).1;
        let version = tag.trim_start_matches('v').split('-').next().unwrap();
        let parts = version.split('.').filter(|part| part.parse::<u32>().is_ok()).count();
        assert!(parts >= 2 && !version.is_empty(), "{name}: {tag} may be another image tomorrow");
    }
    let kafka = found(r"<kafka\.version>([0-9.]+)<", &text("scripts/kafka/pom.xml"));
    assert!(
        kafka.contains(compose.services["kafka"].image.rsplit_once(':').unwrap().1),
        "as in scripts/kafka.sh"
    );
}

#[test]
fn what_is_mounted_exists() {
    let compose = compose();
    let mut used = BTreeSet::new();
    for (name, service) in &compose.services {
        for mount in &service.volumes {
            let (source, _) = mount.split_once(':').unwrap();
            if let Some(file) = source.strip_prefix("./") {
                assert!(path(file).exists(), "{name}: {source} does not exist");
                assert!(mount.ends_with(":ro"), "{name}: {mount} could be written to");
            } else {
                assert!(compose.volumes.contains_key(source), "{name}: the volume {source} is not declared");
                used.insert(source);
            }
        }
    }
    assert_eq!(used, compose.volumes.keys().map(String::as_str).collect());
}

#[test]
fn what_is_waited_for_can_happen() {
    let compose = compose();
    for (name, service) in &compose.services {
        for (other, Dependency { condition, restart }) in &service.depends_on {
            let awaited =
                compose.services.get(other).unwrap_or_else(|| panic!("{name} waits for nobody: {other}"));
            match condition {
                Condition::ServiceHealthy => {
                    assert!(!restart, "{name} survives a restart of {other}");
                    assert!(has_health_check(awaited), "{name}: {other} is never healthy");
                }
                Condition::ServiceCompletedSuccessfully => {
                    assert_eq!(
                        awaited.restart,
                        Restart::No,
                        "{name}: {other} would be started again for ever"
                    );
                }
            }
        }
        assert_no_cycle(&compose, name, &mut Vec::new());
    }
}

/// Kong reads its file once, when it starts.
#[test]
fn kong_is_started_anew_with_what_writes_its_file() {
    assert!(compose().services["kong"].depends_on["kong-config"].restart);
}

fn has_health_check(service: &Service) -> bool {
    match &service.healthcheck {
        Some(HealthCheck::Probe(probe)) => {
            let span =
                |text: &str| text.strip_suffix('s').is_some_and(|number| number.parse::<u32>().is_ok());
            probe.test[0] == "CMD" && probe.retries > 0 && span(&probe.interval) && span(&probe.timeout)
        }
        Some(HealthCheck::Off(Off { disable })) => !disable,
        None => service.build.as_ref().is_some_and(|build| stages()[&build.target].has_health_check()),
    }
}

fn assert_no_cycle<'a>(compose: &'a Compose, name: &'a str, path: &mut Vec<&'a str>) {
    assert!(!path.contains(&name), "{path:?} wait for each other");
    path.push(name);
    compose.services[name].depends_on.keys().for_each(|other| assert_no_cycle(compose, other, path));
    path.pop();
}

#[test]
fn programs_of_ours_run_without_rights() {
    for (name, service) in &compose().services {
        if service.image.starts_with("wallet-platform/") {
            assert!(service.read_only && service.cap_drop == ["ALL"], "{name}");
            assert_eq!(service.security_opt, ["no-new-privileges:true"], "{name}");
        }
        let long_enough = service.stop_grace_period.as_deref() == Some("40s");
        let serves = service.build.as_ref().is_some_and(|build| build.target.ends_with("-service"));
        assert_eq!(long_enough, serves, "{name}: services drain before they end");
    }
}

/// A variable that nobody reads is a setting that does nothing.
#[test]
fn every_variable_is_read() {
    let read = found(r#"[(,\[]\s*"([A-Z][A-Z0-9_]{3,})""#, &sources(&["libraries", "services"]));
    for (name, service) in &compose().services {
        for variable in service.environment.keys() {
            let known = match name.as_str() {
                "postgres" => variable.starts_with("POSTGRES_"),
                "kafka" => variable.starts_with("KAFKA_") || variable == "CLUSTER_ID",
                "kong" => variable.starts_with("KONG_"),
                "grafana" => variable.starts_with("GF_"),
                _ => service.image.starts_with("wallet-platform/") && read.contains(variable),
            };
            assert!(known, "{name}: nobody reads {variable}");
        }
    }
    let image = stages().remove("runtime").unwrap();
    for variable in found(
        r"([A-Z_]+)=",
        &image.lines.iter().filter(|line| line.starts_with("ENV ")).cloned().collect::<String>(),
    ) {
        // The C library reads these before our code runs.
        let of_libc = ["MALLOC_ARENA_MAX", "MALLOC_MMAP_THRESHOLD_"].contains(&variable.as_str());
        assert!(of_libc || read.contains(&variable), "the image sets {variable}, which nobody reads");
    }
}

#[test]
fn addresses_lead_to_services_that_listen_there() {
    let compose = compose();
    for (name, service) in &compose.services {
        for (variable, value) in &service.environment {
            for address in found(r"(?:^|https?://|@|BROKER://)([a-z][a-z-]*:\d+)", &value.text()) {
                // Kafka's own talk with itself.
                if address != "kafka:9093" {
                    assert_reachable(&compose, &format!("{name} {variable}"), &address);
                }
            }
        }
        for word in service.command.iter().chain(&service.entrypoint) {
            for address in found(r"^([a-z-]+:\d+)$", word) {
                assert_reachable(&compose, name, &address);
            }
        }
    }
    for address in found(r"(?m)^\s*- target: (\S+)$", &text("gateway/kong.yml")) {
        assert_reachable(&compose, "gateway/kong.yml", &address);
    }
    for job in yaml("prometheus/prometheus.yml")["scrape_configs"].as_array().unwrap() {
        let Value::String(address) = &job["static_configs"][0]["targets"][0] else { panic!("{job}") };
        if job["job_name"] != "prometheus" {
            assert_reachable(&compose, "prometheus/prometheus.yml", address);
        }
    }
    for source in found(r"url: http://(\S+)", &text("grafana/provisioning/datasources/prometheus.yml")) {
        assert_reachable(&compose, "Grafana's data source", &source);
    }
}

/// Kong loads the file that its init container renders, from the key that identity made.
/// Who else is believed about addresses could choose what counts as theirs.
#[test]
fn kong_alone_is_believed_about_the_addresses_of_clients() {
    let compose = compose();
    let kong = compose.services["kong"].networks["default"].ipv4_address;
    let trusted = compose.services["identity"].environment["TRUSTED_PROXIES"].text();
    assert_eq!(trusted, format!("{kong}/32"));
    assert!(compose.networks["default"].ipam.config.iter().any(|range| {
        let subnet: Ipv4Net = range.subnet.parse().unwrap();
        subnet.contains(&kong)
    }));
}

#[test]
fn the_gateway_gets_its_rendered_file() {
    let compose = compose();
    let (kong, init) = (&compose.services["kong"], &compose.services["kong-config"]);
    let script = init.entrypoint.last().unwrap();
    let key = found(r"gateway/render\.sh (\S+) >", script).pop_first().unwrap();
    let rendered = found(r"(?m)^mv \S+ (\S+)$", script).pop_first().unwrap();
    let mounted = |service: &Service, volume: &str| -> String {
        let mount =
            service.volumes.iter().find_map(|mount| mount.strip_prefix(&format!("{volume}:"))).unwrap();
        mount.trim_end_matches(":ro").to_owned()
    };
    assert_eq!(key, format!("{}/jwt_ed25519.pub.pem", mounted(&compose.services["identity"], "keys")));
    assert_eq!(mounted(init, "keys"), mounted(&compose.services["identity"], "keys"));
    let file = rendered.strip_prefix(&mounted(init, "gateway")).unwrap();
    let loaded = compose.services["kong"].environment["KONG_DECLARATIVE_CONFIG"].text();
    assert_eq!(loaded, format!("{}{file}", mounted(kong, "gateway")));
    let image = stages().remove("runtime").unwrap().lines.join("\n");
    assert!(
        image.contains(&format!("KEYS_DIR={}", mounted(init, "keys"))),
        "where the services look for keys"
    );
    for volume in
        [mounted(init, "keys"), mounted(init, "gateway"), mounted(&compose.services["provider-twin"], "twin")]
    {
        assert!(image.contains(&volume), "{volume} is made in the image, so that its owner may write");
    }
}
