//! What the exporter of Kafka's own metrics answers where a cluster has one (`docker-compose.cluster.yml`): a part of its page, as
//! its documentation shows it. Here nobody runs it.

use axum::{Router, routing::get};

pub(crate) const KAFKA: &str = "# TYPE kafka_brokers gauge\n\
                                kafka_brokers 3\n\
                                # TYPE kafka_topic_partition_under_replicated_partition gauge\n\
                                kafka_topic_partition_under_replicated_partition{partition=\"0\",topic=\"user-events\"} 0\n";

/// Serves the page as `/metrics`; gives its address.
pub(crate) async fn serve(page: &'static str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let router = Router::new().route("/metrics", get(async move || page));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}
