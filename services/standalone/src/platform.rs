//! Starts everything in one process, in the order in which the parts need each other, and stops it together.
//!
//! 1. the embedded broker, where no Kafka is to be had (`EVENT_BROKER=embedded`);
//! 2. the bank's twin, where no bank is configured;
//! 3. the four services, each with its own database, listener and workers;
//! 4. the gateway, which hands requests to their routers without a second network hop.

use anyhow::Context;
use axum::Router;
use common_events::{
    KafkaConfig,
    embedded_broker::EmbeddedBroker,
    topics::{self, Partitions},
};
use common_utils::config::{Env, ListenConfig};
use gateway::{Gateway, Upstream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

type Tasks = JoinSet<anyhow::Result<()>>;

/// Serves until `shutdown`, or until a part fails: then the others are stopped too.
pub async fn serve(env: &Env, shutdown: CancellationToken) -> anyhow::Result<()> {
    let broker = embedded_broker(env)?;
    let env = match &broker {
        Some(broker) => env.with("KAFKA_BROKERS", broker.brokers()),
        None => env.clone(),
    };
    let mut tasks = Tasks::new();
    // All services are in this process: none of an older release has to be understood.
    let env = twin(&env, &mut tasks, &shutdown).await?.with_default("SERVICE_TOKENS", "own");
    ensure_topics(&env, &mut tasks, &shutdown)?;
    let routers = services(&env, &mut tasks, &shutdown).await?;
    front(&env, routers, &mut tasks, &shutdown).await?;
    tracing::info!("the platform is up");
    let ended = until_all_end(tasks, &shutdown).await;
    drop(broker);
    ended
}

fn embedded_broker(env: &Env) -> anyhow::Result<Option<EmbeddedBroker>> {
    let wanted = KafkaConfig::from_env(env, "standalone")?.embedded;
    wanted.then(EmbeddedBroker::start).transpose()
}

/// Where no bank is configured, or the configured one is the twin's own address, the twin is the bank. A real bank is
/// never accompanied by simulated checks of identity.
async fn twin(env: &Env, tasks: &mut Tasks, shutdown: &CancellationToken) -> anyhow::Result<Env> {
    let listen = ListenConfig::from_env(&env.shared_by("twin"), provider_twin::DEFAULT_PORT)?;
    let bank = env.shared_by(wallet_service::SERVICE).get("PROVIDUS_BASE_URL").map(str::to_owned);
    if bank.is_some_and(|url| !is_on_this_machine(&url, listen.port)) {
        return Ok(env.clone());
    }
    let address = format!("http://127.0.0.1:{}", listen.port);
    let gateway = gateway_listen(env)?.port;
    let webhooks = format!("http://127.0.0.1:{gateway}/api/v1/wallet/webhooks/providus");
    let env = env
        .with_default("PROVIDUS_BASE_URL", format!("{address}/api/v1"))
        .with_default("PROVIDUS_API_KEY", "sk_sandbox_development")
        .with_default("PROVIDUS_WEBHOOK_SECRET", "development")
        .with_default("MAILBOX_URL", &address)
        .with_default("KYC_BASE_URL", &address)
        .with_default("KYC_API_KEY", "development")
        .with_default("TWIN_WEBHOOK_URL", webhooks);
    let config = provider_twin::Config::from_env(&env.shared_by("twin"))?;
    let listener = listen.bind().await?;
    tracing::warn!(address, "the bank is simulated by the provider twin; not for production");
    tasks.spawn(provider_twin::run(listener, config, shutdown.clone()));
    Ok(env)
}

fn is_on_this_machine(url: &str, port: u16) -> bool {
    reqwest::Url::parse(url).is_ok_and(|url| {
        let here = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        here && url.port() == Some(port)
    })
}

/// In development topics are made on start; `KAFKA_CREATE_TOPICS=false` leaves that to `scripts/create-topics.sh`.
/// Kafka may still be down: the platform does not wait for it.
fn ensure_topics(env: &Env, tasks: &mut Tasks, shutdown: &CancellationToken) -> anyhow::Result<()> {
    let kafka = KafkaConfig::from_env(env, "standalone")?;
    if kafka.embedded || !env.parse("KAFKA_CREATE_TOPICS", true)? {
        return Ok(());
    }
    let shutdown = shutdown.clone();
    tasks.spawn(async move {
        loop {
            match topics::apply(&kafka, Partitions::AsTheyAre).await {
                Ok(changes) => {
                    for change in changes {
                        tracing::info!(%change, "topics");
                    }
                    return Ok(());
                }
                Err(error) => tracing::warn!(error = format!("{error:#}"), "topics are not there yet"),
            }
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = tokio::time::sleep(std::time::Duration::from_secs(2)) => {}
            }
        }
    });
    Ok(())
}

struct Routers {
    identity: Router,
    wallet: Router,
    transaction: Router,
    admin: Router,
}

async fn services(env: &Env, tasks: &mut Tasks, shutdown: &CancellationToken) -> anyhow::Result<Routers> {
    /// Builds one service, puts it on its port, and gives its router.
    macro_rules! start {
        ($service:ident) => {
            start!($service, |env| $service::App::from_env(env))
        };
        ($service:ident, |$env:ident| $app:expr) => {{
            let env = env.shared_by($service::SERVICE);
            let $env = &env;
            let app = $app.await.context($service::SERVICE_NAME)?;
            let listener = app.config().listen.bind().await.context($service::SERVICE_NAME)?;
            let router = app.router();
            tasks.spawn(app.run(listener, shutdown.clone()));
            router
        }};
    }
    let identity = start!(identity_service);
    let wallet = start!(wallet_service);
    let ledger = Some(wallet.clone());
    let transaction = start!(transaction_service, |env| transaction_service::App::beside(env, ledger));
    let admin = start!(admin_service);
    Ok(Routers { identity, wallet, transaction, admin })
}

fn gateway_listen(env: &Env) -> anyhow::Result<ListenConfig> {
    Ok(ListenConfig::from_env(&env.shared_by("gateway"), 8000)?)
}

async fn front(
    env: &Env,
    routers: Routers,
    tasks: &mut Tasks,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let public_key = env.keys_dir().join(common_auth::signing::PUBLIC_FILE);
    let directory = gateway::render::directory();
    let config = gateway::render::load(&directory, &public_key)?;
    let listen = gateway_listen(env)?;
    let status_port = env.shared_by("gateway").parse("STATUS_PORT", 8100)?;
    let status = ListenConfig { host: listen.host.clone(), port: status_port };
    let gateway = Gateway::builder(config)
        .port(listen.port)
        .upstream("identity-service", Upstream::Router(routers.identity))
        .upstream("wallet-service", Upstream::Router(routers.wallet))
        .upstream("transaction-service", Upstream::Router(routers.transaction))
        .upstream("admin-service", Upstream::Router(routers.admin))
        .build()?;
    let (clients, operators) = (listen.bind().await?, status.bind().await?);
    tracing::info!(address = %clients.local_addr()?, "the gateway listens");
    let keys = gateway::render::keep_keys(gateway.clone(), directory, public_key, shutdown.clone());
    tasks.spawn(async {
        keys.await;
        Ok(())
    });
    let shutdown = shutdown.clone();
    tasks.spawn(
        async move { gateway::serve(&gateway, clients, operators, shutdown).await.context("gateway") },
    );
    Ok(())
}

/// A part that fails takes the others with it: half a platform helps nobody.
async fn until_all_end(mut tasks: Tasks, shutdown: &CancellationToken) -> anyhow::Result<()> {
    let mut first_failure = Ok(());
    while let Some(ended) = tasks.join_next().await {
        let ended = ended.context("a part of the platform panicked").and_then(|result| result);
        if let Err(error) = ended {
            tracing::error!(error = format!("{error:#}"), "a part of the platform failed: stopping");
            shutdown.cancel();
            first_failure = first_failure.and(Err(error));
        }
    }
    first_failure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_twins_own_address_is_the_twin() {
        for twin in ["http://127.0.0.1:4010/api/v1", "http://localhost:4010"] {
            assert!(is_on_this_machine(twin, 4010), "{twin}");
        }
        for bank in [
            "https://payment.xpress-wallet.com/api/v1",
            "http://127.0.0.1:40100/api/v1",
            "http://127.0.0.1.example.com:4010/api/v1",
            "http://10.0.0.7:4010",
            "nonsense",
        ] {
            assert!(!is_on_this_machine(bank, 4010), "{bank}");
        }
    }
}
