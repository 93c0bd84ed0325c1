//! A whole journey with planted values. Afterwards everything that was secret or personal in it is looked for in the logs of all
//! processes, in every message in Kafka, in every column of every table and in Redis, in each spelling that would reveal it. What
//! is found has to stand in `allowed.rs` with its reason, and what stands there has to be found.
//!
//! That the search finds is shown at the end, by planting everything once more where nothing may be.

mod allowed;
mod client;
mod journey;
mod places;
mod search;
mod secrets;
mod shown;

use self::{
    journey::{Journey, letters},
    places::look_everywhere,
    search::Search,
    secrets::{Planted, What},
};
use super::deployment::Deployment;

/// All that our own code says, and more of others than operators see.
const LOGS: &str = "debug";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_secret_or_personal_is_nowhere_else_than_it_may_be() {
    let mut planted = Planted::new();
    let mut settings = vec![("RUST_LOG", LOGS.to_owned())];
    for name in ["PROVIDUS_API_KEY", "PROVIDUS_WEBHOOK_SECRET", "KYC_API_KEY"] {
        settings.push((name, planted.plant(What::OwnCredential, format!("sk_sandbox_{}", letters(24)))));
    }
    let platform = Deployment::prepare_with(&settings);
    platform.start_all_apart().await;
    let planted = Journey::made(&platform, planted).await.planted;

    let mut search = Search::new(&planted);
    look_everywhere(&platform, &mut search).await;
    let problems = allowed::broken_by(&search);
    assert!(problems.is_empty(), "{}", problems.join("\n"));

    shown::everything_is_found_where_it_is_planted(&platform, &planted).await;
}
