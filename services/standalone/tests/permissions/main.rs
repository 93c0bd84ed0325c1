//! Who may call what: every route of every service, called by everybody, on services that talk to each other as they do in
//! production. What each caller is answered is written down in `permissions.matrix`, one line a route.
//!
//! The routes are those that the services list themselves, so a new one is in the matrix without anybody's doing, and fails here
//! until its line is written (`UPDATE_DOCS=1 cargo test -p standalone --test permissions`) and read by a reviewer. A line alone
//! does not let a route pass: what was answered also has to follow from who may call it (`rules`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on must fail"
)]

mod bodies;
mod callers;
mod gateway;
mod matrix;
mod platform;
mod rules;
mod scene;

use std::{collections::BTreeSet, fs, path::Path};

use common_utils::http::Access;
use futures::{StreamExt, stream};

use self::{
    callers::Caller,
    matrix::{Line, Route},
    platform::Platform,
};

/// Routes that are tried at the same time.
const AT_ONCE: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_answered_as_written_down() {
    let platform = Platform::start().await;
    let lines: Vec<Line> = stream::iter(matrix::routes())
        .map(|route| try_route(&platform, route))
        .buffered(AT_ONCE)
        .collect()
        .await;

    let wrong: Vec<String> = lines.iter().flat_map(rules::broken_by).collect();
    assert!(wrong.is_empty(), "against the rules:\n{}", wrong.join("\n"));

    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/permissions/permissions.matrix");
    let text = matrix::text(&lines);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, &text).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap();
    let (old, new): (BTreeSet<&str>, BTreeSet<&str>) = (written.lines().collect(), text.lines().collect());
    let gone: Vec<&&str> = old.difference(&new).collect();
    let come: Vec<&&str> = new.difference(&old).collect();
    assert!(written == text, "UPDATE_DOCS=1 writes it anew. Written down:\n{gone:#?}\nIn truth:\n{come:#?}");
}

/// What a call changed is undone by taking a new scene: nobody is answered as they are because somebody else came before.
async fn try_route(platform: &Platform, route: Route) -> Line {
    let mut answers = Vec::with_capacity(Caller::ALL.len());
    let mut unfit = Vec::new();
    let mut scene = platform.scene(&route).await;
    for (index, caller) in Caller::ALL.into_iter().enumerate() {
        let (status, is_unfit) = platform.call(&scene, &route, caller).await;
        answers.push(status);
        unfit.extend(is_unfit.then_some(caller));
        let changed = status < 300 && route.method != "GET";
        if changed && index + 1 < Caller::ALL.len() {
            scene = platform.scene(&route).await;
        }
    }
    Line { route, answers, unfit }
}

#[test]
fn no_route_is_listed_twice() {
    let routes = matrix::routes();
    let names: BTreeSet<String> = routes.iter().map(Route::name).collect();
    assert_eq!(names.len(), routes.len());
}

/// Who reads the contract has to know whether a call takes a token.
#[test]
fn the_contract_asks_for_a_token_where_the_route_does() {
    let contract: serde_json::Value = serde_json::from_str(&standalone::contract::text().unwrap()).unwrap();
    for route in matrix::routes() {
        let operation = &contract["paths"][&route.path][route.method.to_lowercase()];
        let open = matches!(route.access, Access::Anybody(_));
        if operation.is_null() {
            let internal = open || matches!(route.access, Access::Service(_));
            assert!(internal, "{} is not in the contract", route.name());
        } else {
            assert_eq!(operation["security"].is_null(), open, "{}", route.name());
        }
    }
}
