//! wallet-service served by this process, on a database of the benchmark's: its routes alone, without relay and workers.

use std::net::SocketAddr;

use common_auth::{
    service_token::CallTokens,
    signing::TokenSigner,
    testing::{self, Callers},
};
use common_utils::{
    clock::{SharedClock, SystemClock},
    config::Env,
    http::server,
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use wallet_service::{App, SERVICE, SERVICE_NAME, config::Config, providers::Providers};

use crate::{database::Server, keys::Keys};

pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    /// Whose tokens it takes.
    pub(crate) people: TokenSigner,
    pub(crate) services: CallTokens,
    stop: CancellationToken,
    serving: JoinHandle<anyhow::Result<()>>,
    _keys: Keys,
}

impl Served {
    pub(crate) async fn start(server: &Server, database: &str) -> anyhow::Result<Self> {
        let clock: SharedClock = SystemClock::shared();
        let people = TokenSigner::ephemeral()?;
        let keys = Keys::new();
        let services = Callers::of(SERVICE_NAME, &keys.0, &clock);
        let authenticator = testing::authenticator(&people, services.tokens()?, &clock);
        let services = services.calling("transaction-service").tokens()?.to(SERVICE_NAME);
        let config = Config::from_env(&Env::of_process(SERVICE))?;
        let config = Config { database: server.config(database), ..config };
        let router = App::new(config, authenticator, Providers::default(), clock)?.router();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (address, stop) = (listener.local_addr()?, CancellationToken::new());
        let serving = tokio::spawn(server::serve(listener, router, stop.clone()));
        Ok(Self { address, people, services, stop, serving, _keys: keys })
    }

    pub(crate) async fn end(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.serving.await?
    }
}
