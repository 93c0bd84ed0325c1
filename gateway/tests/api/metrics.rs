//! The numbers, under the names that a dashboard for Kong asks for.

use chrono::TimeDelta;

use crate::support::{get, post, token, world};

#[tokio::test]
async fn calls_are_counted_by_route_answer_and_who_gave_it() {
    let world = world();
    world.get_with("/api/v1/wallet/wallets", &token("ada")).await;
    world.get_with("/api/v1/wallet/wallets", &token("ada")).await;
    world.send(get("/api/v1/wallet/wallets")).await;
    world.send(post("/api/v1/identity/login")).await;
    world.send(get("/nowhere")).await;
    world.clock.advance(TimeDelta::seconds(1));
    let page = world.gateway.metrics();
    for line in [
        r#"kong_http_requests_total{service="wallet",route="wallet",code="200",source="service",workspace="default",consumer=""} 2"#,
        r#"kong_http_requests_total{service="wallet",route="wallet",code="401",source="kong",workspace="default",consumer=""} 1"#,
        r#"kong_http_requests_total{service="identity-public",route="identity-login",code="200",source="service",workspace="default",consumer=""} 1"#,
        r#"kong_request_latency_ms_count{service="wallet",route="wallet",workspace="default"} 3"#,
        r#"kong_upstream_latency_ms_count{service="wallet",route="wallet",workspace="default"} 2"#,
        r#"kong_kong_latency_ms_bucket{service="wallet",route="wallet",workspace="default",le="+Inf"} 3"#,
        r#"kong_upstream_target_health{upstream="wallet-service",target="wallet:3002",address="wallet:3002",state="healthchecks_off",subsystem="http"} 1"#,
        r#"kong_nginx_requests_total{node_id="embedded",subsystem="http"} 5"#,
    ] {
        assert!(page.lines().any(|found| found == line), "{line}\n{page}");
    }
    for name in ["ingress", "egress"] {
        let start = format!(r#"kong_bandwidth_bytes{{service="wallet",route="wallet",direction="{name}""#);
        assert!(page.lines().any(|line| line.starts_with(&start)), "{start}\n{page}");
    }
    assert!(!page.contains("nowhere"), "a call without a route is no route's");
}
