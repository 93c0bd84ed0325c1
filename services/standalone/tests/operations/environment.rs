//! What `scripts/run.sh` writes down for a second terminal.

use std::collections::BTreeSet;

use crate::files::{found, sources, text};

/// Of one process: its name for the brokers.
const OF_A_PROCESS: [&str; 2] = ["KAFKA_CLIENT_ID", "KAFKA_INSTANCE_ID"];

#[test]
fn a_second_terminal_gets_all_that_says_where_servers_are() {
    let code = sources(&["libraries/common-events", "libraries/common-db", "libraries/common-utils"]);
    let read =
        found(r#""((?:DB_(?:HOST|PORT|USER|PASSWORD|SSL)|REDIS_|KAFKA_|SCHEMA_REGISTRY_)[A-Z_]*)""#, &code);
    let script = text("scripts/lib/servers.sh");
    let list = script.split_once("environment=(").unwrap().1.split_once("\n)").unwrap().0;
    let written: BTreeSet<&str> = list.split_whitespace().collect();
    let read = read.iter().map(String::as_str).filter(|name| !OF_A_PROCESS.contains(name));
    let missing: Vec<&str> = read.filter(|name| !written.contains(name)).collect();
    assert!(missing.is_empty(), "scripts/lib/servers.sh does not write {missing:?}");
    assert!(written.contains("KAFKA_BROKERS"));
}
