//! The providers of this deployment, by name.

use std::sync::Arc;

use super::{WalletProvider, measured::Measured};

pub type Provider = Arc<dyn WalletProvider>;

/// Shared and immutable once the service has started.
#[derive(Debug, Clone, Default)]
pub struct Providers {
    all: Vec<Provider>,
    default: Option<Provider>,
}

impl Providers {
    /// `default` names the provider that issues new accounts; none, and no accounts are issued.
    pub fn new(adapters: Vec<Box<dyn WalletProvider>>, default: Option<&str>) -> anyhow::Result<Self> {
        let all: Vec<Provider> =
            adapters.into_iter().map(|adapter| Arc::new(Measured::new(adapter)) as Provider).collect();
        let default = default
            .map(|name| {
                all.iter()
                    .find(|provider| provider.name() == name)
                    .cloned()
                    .ok_or_else(|| anyhow::anyhow!("there is no provider {name:?}"))
            })
            .transpose()?;
        Ok(Self { all, default })
    }

    pub fn get(&self, name: &str) -> Option<&Provider> {
        self.all.iter().find(|provider| provider.name() == name)
    }

    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.all.iter().map(|provider| provider.name())
    }

    /// The one that issues new accounts.
    pub fn default_provider(&self) -> Option<&Provider> {
        self.default.as_ref()
    }
}
