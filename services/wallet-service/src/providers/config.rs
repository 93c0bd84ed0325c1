//! Which providers there are, from the environment: `DEFAULT_WALLET_PROVIDER` and the variables of each provider.
//! A provider that is named and not configured stops the start: half a bank is worse than none.

use anyhow::Context;
use common_utils::config::Env;

use super::{Providers, WalletProvider, xpress};

/// Said instead of a provider's name: wallets get no account numbers.
const NONE: &str = "none";

/// Who issues new accounts; nobody where it says `none`.
pub fn default_provider(env: &Env) -> Option<String> {
    Some(env.text("DEFAULT_WALLET_PROVIDER", xpress::NAME)).filter(|name| name != NONE)
}

pub fn from_env(env: &Env) -> anyhow::Result<Providers> {
    let default = default_provider(env);
    let mut adapters: Vec<Box<dyn WalletProvider>> = Vec::new();
    // One that is not the default still takes webhooks, for the accounts that it has issued.
    if default.as_deref() == Some(xpress::NAME) || env.get("PROVIDUS_BASE_URL").is_some() {
        let config = xpress::Config::from_env(env)
            .context("provider providus (DEFAULT_WALLET_PROVIDER=none does without a provider)")?;
        adapters.push(Box::new(xpress::XpressWallet::new(&config)?));
    }
    if default.is_none() {
        tracing::warn!("DEFAULT_WALLET_PROVIDER=none: wallets get no account numbers");
    }
    Providers::new(adapters, default.as_deref())
        .with_context(|| format!("DEFAULT_WALLET_PROVIDER: known are {:?} and {NONE:?}", xpress::NAME))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: [(&str, &str); 3] = [
        ("PROVIDUS_BASE_URL", "http://127.0.0.1:4010/api/v1"),
        ("PROVIDUS_API_KEY", "sk_sandbox_1"),
        ("PROVIDUS_WEBHOOK_SECRET", "s3cret"),
    ];

    fn with(values: &[(&str, &str)]) -> anyhow::Result<Providers> {
        let pairs = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        from_env(&Env::from_values("wallet", pairs.collect()))
    }

    fn refusal(values: &[(&str, &str)]) -> String {
        format!("{:#}", with(values).unwrap_err())
    }

    #[test]
    fn the_default_provider_must_be_configured_or_waived() {
        let providers = with(&WHOLE).unwrap();
        assert_eq!(providers.default_provider().map(|provider| provider.name()), Some("providus"));
        assert!(!format!("{providers:?}").contains("s3cret"));
        assert!(refusal(&[]).contains("PROVIDUS_BASE_URL"));
        assert!(refusal(&WHOLE[..2]).contains("PROVIDUS_WEBHOOK_SECRET"));
        assert!(refusal(&[("DEFAULT_WALLET_PROVIDER", "paystack")]).contains("paystack"));
        let none = with(&[("DEFAULT_WALLET_PROVIDER", "none")]).unwrap();
        assert!(none.default_provider().is_none() && none.names().next().is_none());
    }

    #[test]
    fn a_waived_provider_still_takes_webhooks_where_it_is_configured() {
        let mut values = WHOLE.to_vec();
        values.push(("DEFAULT_WALLET_PROVIDER", "none"));
        let providers = with(&values).unwrap();
        assert!(providers.default_provider().is_none() && providers.get("providus").is_some());
    }

    #[test]
    fn key_mode_and_address_must_go_together() {
        let live = |url| {
            [("PROVIDUS_BASE_URL", url), ("PROVIDUS_API_KEY", "sk_live_1"), ("PROVIDUS_WEBHOOK_SECRET", "s")]
        };
        assert!(with(&live("https://payment.xpress-wallet.com/api/v1")).is_ok());
        assert!(refusal(&live("http://payment.xpress-wallet.com/api/v1")).contains("https"));
        assert!(refusal(&live("not an address")).contains("PROVIDUS_BASE_URL"));
        let mut sandbox = live("https://payment.xpress-wallet.com/api/v1").to_vec();
        sandbox.push(("PROVIDUS_USE_SANDBOX", "true"));
        assert!(refusal(&sandbox).contains("PROVIDUS_USE_SANDBOX"));
    }
}
