//! Calls to services over HTTP: what they carry, what is sent again, and what is said when nothing comes back.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Router, body::Body, response::IntoResponse, routing::any};
use futures::StreamExt;
use gateway::{Builder, Config, Upstream};
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::{KID, World, client, config, echo, get, rendered, token, world, world_with};

const PATH: &str = "/api/v1/wallet/wallets";

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// An address where nobody listens.
async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// The wallet service at these addresses; the others in this process.
fn wallet_at(config: Config, wallet: Vec<String>) -> World {
    world_with(config, |builder: Builder| {
        ["identity-service", "transaction-service", "admin-service"]
            .iter()
            .fold(builder, |builder, name| builder.upstream(name, Upstream::Router(echo(name))))
            .upstream("wallet-service", Upstream::Http(wallet))
    })
}

fn call(method: Method) -> http::request::Builder {
    get(PATH).method(method).header("authorization", format!("Bearer {}", token("ada")))
}

/// A service whose answer never comes, and how often it was asked.
fn silent() -> (Router, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let handler = async move || {
        count.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<()>().await;
    };
    (Router::new().fallback(any(handler)), asked)
}

#[tokio::test]
async fn what_the_service_is_told() {
    let over_http = wallet_at(config(), vec![serve(echo("wallet-service")).await]);
    for (world, host) in [(over_http, None), (world(), Some("wallet:3002"))] {
        let request = call(Method::GET)
            .header("x-forwarded-for", "203.0.113.7")
            .header("x-forwarded-proto", "https")
            .header("x-forwarded-host", "evil.example")
            .header("x-forwarded-prefix", "/evil")
            .header("x-real-ip", "203.0.113.7")
            .header("x-consumer-username", "root")
            .header("x-consumer-custom-id", "root")
            .header("x-anonymous-consumer", "true")
            .header("x-kong-request-id", "mine")
            .header("connection", "keep-alive, x-hop")
            .header("x-hop", "1")
            .header("te", "gzip")
            .header("x-correlation-id", "order-17");
        let answer = world.send(request).await;
        assert_eq!(answer.status, StatusCode::OK);
        let seen = answer.json();
        let headers = &seen["headers"];
        for (name, value) in [
            ("x-forwarded-for", "203.0.113.7, 198.51.100.1"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-host", "wallet.example"),
            ("x-forwarded-port", "8000"),
            ("x-forwarded-path", PATH),
            ("x-real-ip", "198.51.100.1"),
            ("x-consumer-username", "wallet-platform"),
            ("x-credential-identifier", KID),
            ("x-consumer-id", "5f3b6f0a-5c0e-4d0e-9d0c-6a1e2b7c4d58"),
            ("x-correlation-id", "order-17"),
            ("via", "1.1 kong/3.9.3 (embedded)"),
        ] {
            assert_eq!(headers[name], value, "{name}");
        }
        for absent in [
            "x-forwarded-prefix",
            "x-consumer-custom-id",
            "x-anonymous-consumer",
            "x-hop",
            "te",
            "connection",
        ] {
            assert!(headers.get(absent).is_none(), "{absent}: {headers}");
        }
        assert_eq!(headers["authorization"], format!("Bearer {}", token("ada")), "untouched");
        assert_eq!(headers["x-kong-request-id"], answer.header("x-kong-request-id").unwrap());
        if let Some(host) = host {
            assert_eq!(headers["host"], host);
        }
    }
}

#[tokio::test]
async fn what_the_client_is_told() {
    let own = async || {
        (
            [
                ("x-kong-request-id", "theirs"),
                ("connection", "x-private"),
                ("x-private", "1"),
                ("server", "theirs"),
            ],
            "ok",
        )
    };
    let world = wallet_at(config(), vec![serve(Router::new().fallback(own)).await]);
    let answer = world.send(call(Method::GET)).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "ok"));
    assert_eq!(answer.header("via"), Some("1.1 kong/3.9.3 (embedded)"));
    assert_eq!(answer.header("server"), Some("theirs"));
    assert_eq!(answer.header("x-private"), None);
    assert_eq!(answer.header("x-kong-request-id").unwrap().len(), 32);
    for latency in ["x-kong-upstream-latency", "x-kong-proxy-latency"] {
        assert!(answer.header(latency).unwrap().parse::<u64>().is_ok());
    }
    let made: uuid::Uuid = answer.header("x-correlation-id").unwrap().parse().unwrap();
    assert_eq!(made.get_version_num(), 4);
    let refused = world.send(get(PATH)).await;
    assert!(
        refused.header("x-correlation-id").is_some() && refused.header("x-kong-response-latency").is_some()
    );
    assert_eq!((refused.header("via"), refused.header("server")), (None, Some("kong/3.9.3 (embedded)")));
}

#[tokio::test]
async fn a_get_is_sent_again_when_the_connection_breaks_and_a_post_is_not() {
    // Takes each connection and closes it at once.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            // Read the request first, so that the break is one of the answer.
            let mut buffer = [0; 1024];
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut buffer).await;
        }
    });
    let text =
        rendered().replace("    retries: 1", "    retries: 3").replace("tcp_failures: 3", "tcp_failures: 0");
    let world = wallet_at(Config::parse(&text).unwrap(), vec![format!("http://{address}")]);
    for (method, calls) in [(Method::GET, 4), (Method::POST, 1), (Method::PATCH, 1), (Method::DELETE, 4)] {
        let before = taken.load(Ordering::SeqCst);
        let answer = world.send(call(method.clone()).header("accept", "application/json")).await;
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
        assert_eq!(answer.json()["message"], "An invalid response was received from the upstream server");
        assert_eq!(taken.load(Ordering::SeqCst) - before, calls, "{method}");
    }
}

#[tokio::test]
async fn a_retry_goes_to_the_next_target() {
    let text = rendered().replace("tcp_failures: 3", "tcp_failures: 0");
    let targets = vec![nobody().await, serve(echo("wallet-service")).await];
    let world = wallet_at(Config::parse(&text).unwrap(), targets);
    for _ in 0..6 {
        assert_eq!(world.send(call(Method::GET)).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_silent_service_is_a_504_and_a_get_is_sent_again() {
    let short = rendered().replace("read_timeout: 30000", "read_timeout: 50");
    let (router, asked) = silent();
    let over_http = wallet_at(Config::parse(&short).unwrap(), vec![serve(router).await]);
    for (method, calls) in [(Method::GET, 2), (Method::POST, 1)] {
        let before = asked.load(Ordering::SeqCst);
        let answer = over_http.send(call(method).header("accept", "*/*")).await;
        assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT);
        assert_eq!(answer.json()["message"], "The upstream server is timing out");
        assert_eq!(asked.load(Ordering::SeqCst) - before, calls);
    }
    let in_process = world_with(Config::parse(&short).unwrap(), |builder| {
        let upstreams = crate::support::UPSTREAMS.iter();
        upstreams.fold(builder, |builder, name| builder.upstream(name, Upstream::Router(silent().0)))
    });
    let answer = in_process.send(call(Method::POST)).await;
    assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT);
    // nginx's own errors are plain text to a client that names no type.
    assert!(answer.body.starts_with("The upstream server is timing out\nrequest_id: "), "{}", answer.body);
}

#[tokio::test]
async fn a_target_goes_down_and_comes_back_by_probes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    drop(listener);
    let world = wallet_at(config(), vec![format!("http://{address}")]);
    assert_eq!(world.send(call(Method::GET)).await.status, StatusCode::BAD_GATEWAY);
    assert_eq!(world.send(call(Method::POST)).await.status, StatusCode::BAD_GATEWAY);
    // Three refused connections: down.
    let answer = world.send(call(Method::GET)).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json()["message"], "failure to get a peer from the ring-balancer");
    assert!(world.gateway.metrics().contains(r#"state="unhealthy",subsystem="http"} 1"#));
    world.gateway.probe().await;
    assert_eq!(
        world.send(call(Method::GET)).await.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "still nobody there"
    );
    let listener = TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move { axum::serve(listener, echo("wallet-service")).await });
    world.gateway.probe().await;
    assert_eq!(world.send(call(Method::GET)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn probes_take_a_target_down_that_says_it_is_not_well() {
    let sick = Router::new()
        .route("/health/live", any(async || StatusCode::SERVICE_UNAVAILABLE))
        .merge(echo("wallet"));
    let world = wallet_at(config(), vec![serve(sick).await]);
    // A call that goes well in between would count for it, so none is made.
    for up in [true, true, false] {
        world.gateway.probe().await;
        let state = if up { "healthy" } else { "unhealthy" };
        let line = format!(r#"state="{state}",subsystem="http"}} 1"#);
        let page = world.gateway.metrics();
        assert!(
            page.lines().any(|found| found.contains("wallet-service") && found.ends_with(&line)),
            "{page}"
        );
    }
    assert_eq!(world.send(call(Method::GET)).await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_customer_who_provokes_500s_takes_nothing_down() {
    let broken = Router::new().fallback(async || StatusCode::INTERNAL_SERVER_ERROR);
    let world = wallet_at(config(), vec![serve(broken).await]);
    for _ in 0..20 {
        assert_eq!(world.send(call(Method::GET)).await.status, StatusCode::INTERNAL_SERVER_ERROR);
    }
}

#[tokio::test]
async fn bodies_are_streamed_both_ways() {
    // The service answers each piece as it comes; were anything gathered on the way, this would never end.
    let mirror = Router::new().fallback(async |body: Body| body.into_response());
    let world = wallet_at(config(), vec![serve(mirror.clone()).await]);
    let in_process = world_with(config(), |builder| {
        let upstreams = crate::support::UPSTREAMS.iter();
        upstreams.fold(builder, |builder, name| builder.upstream(name, Upstream::Router(mirror.clone())))
    });
    for world in [world, in_process] {
        let (send, pieces) = tokio::sync::mpsc::channel::<&'static str>(1);
        let pieces = futures::stream::unfold(pieces, async |mut pieces| {
            pieces.recv().await.map(|piece| (Ok::<_, std::io::Error>(piece), pieces))
        });
        let request = call(Method::POST).header("content-length", 6).body(Body::from_stream(pieces)).unwrap();
        send.send("one").await.unwrap();
        let response = world.gateway.handle(client(1), request).await;
        let mut body = response.into_body().into_data_stream();
        assert_eq!(body.next().await.unwrap().unwrap(), "one");
        send.send("two").await.unwrap();
        assert_eq!(body.next().await.unwrap().unwrap(), "two");
    }
}

#[tokio::test]
async fn a_client_that_breaks_off_is_no_fault_of_the_service() {
    let reads = Router::new().fallback(async |body: Body| format!("{:?}", body.collect().await.is_ok()));
    let world = wallet_at(config(), vec![serve(reads).await]);
    for _ in 0..5 {
        let broken = futures::stream::iter([Ok("x"), Err(std::io::Error::other("gone"))]);
        let request =
            call(Method::POST).header("content-length", 100).body(Body::from_stream(broken)).unwrap();
        assert_eq!(world.send_body(client(1), request).await.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(world.send(call(Method::GET)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn it_serves_on_listeners_until_it_is_stopped() {
    let world = world();
    let (listener, status) =
        (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let (address, operators) = (listener.local_addr().unwrap(), status.local_addr().unwrap());
    let shutdown = tokio_util::sync::CancellationToken::new();
    let (gateway, token) = (world.gateway.clone(), shutdown.clone());
    let served = tokio::spawn(async move { gateway::serve(&gateway, listener, status, token).await });
    let body = json!({"identifier": "ada@example.com"}).to_string();
    let client = reqwest::Client::new();
    let answer = client
        .post(format!("http://{address}/api/v1/identity/login"))
        .body(body.clone())
        .send()
        .await
        .unwrap();
    let seen: serde_json::Value = answer.json().await.unwrap();
    assert_eq!((&seen["bytes"], &seen["headers"]["x-real-ip"]), (&json!(body.len()), &json!("127.0.0.1")));
    let page = client.get(format!("http://{operators}/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("kong_http_requests_total{service=\"identity-public\""), "{page}");
    let outside = client.get(format!("http://{address}/metrics")).send().await.unwrap();
    assert_eq!(outside.status(), 404);
    shutdown.cancel();
    drop(client);
    served.await.unwrap().unwrap();
}
