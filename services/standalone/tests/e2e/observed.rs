//! What the dashboards and alerts ask for is what the platform really exports.

use super::{
    deployment::Deployment,
    main_job,
    monitoring::{self, exporter},
};

#[tokio::test(flavor = "multi_thread")]
async fn every_query_of_dashboards_and_alerts_finds_its_metrics() {
    let platform = Deployment::standalone().await;
    main_job::play(&platform);
    let address = |port: &str| format!("127.0.0.1:{}", platform.value(port));
    let targets = [
        ("identity", address("IDENTITY_PORT")),
        ("wallet", address("WALLET_PORT")),
        ("transaction", address("TRANSACTION_PORT")),
        ("admin", address("ADMIN_PORT")),
        ("gateway", address("GATEWAY_STATUS_PORT")),
        ("kafka", exporter::serve(exporter::KAFKA).await),
    ];
    let targets: Vec<(&str, &str)> = targets.iter().map(|(job, address)| (*job, address.as_str())).collect();
    let report = monitoring::check_dashboards(&targets).await.unwrap();
    assert!(report.problems.is_empty(), "{report}");
}
