//! People who send money to each other: their wallets, funded; the directory that finds them; their tokens.
//!
//! They are written where events would have led to, because ten thousand registrations are ten thousand password hashes.

use std::{net::SocketAddr, sync::Arc};

use common_auth::{Assurance, Claims, Role, claims::AUDIENCE, claims::DEFAULT_ISSUER, signing::TokenSigner};
use common_utils::{
    clock::{Clock, SystemClock},
    config::Env,
    ids,
    ids::WalletId,
};
use sqlx::Executor;
use tokio::task::JoinSet;

use crate::{
    client::Connection,
    database::{self, Server, Wallet},
    platform,
};

/// A gateway that lets a person send 100 a minute lets these send 33,000 a second.
pub(crate) const PEOPLE: usize = 20_000;
/// At once.
const VISITORS: usize = 32;
/// Longer than a run; the platform's own tokens live for a quarter of an hour.
const SIGNED_IN_SECONDS: i64 = 3 * 60 * 60;

#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) wallet: WalletId,
    pub(crate) token: String,
}

pub(crate) async fn settle(server: &Server) -> anyhow::Result<Vec<Person>> {
    let ledger = server.pool(&platform::database("wallet"), 4);
    let wallets = database::fill(&ledger, PEOPLE).await?;
    // What the funding tells is nobody's business here, and would be told while it is measured.
    ledger.execute("UPDATE outbox_batches SET published_at = created_at").await?;
    ledger.close().await;
    list(server, &wallets).await?;
    sign_in(&wallets)
}

/// Everybody has looked at their list before, so that their tokens are known when it is measured.
pub(crate) async fn visit(gateway: SocketAddr, people: &Arc<[Person]>) -> anyhow::Result<()> {
    let mut tasks = JoinSet::new();
    for first in 0..VISITORS {
        let people = Arc::clone(people);
        tasks.spawn(async move {
            let mut connection = Connection::open(gateway).await?;
            for person in people.iter().skip(first).step_by(VISITORS) {
                let answer = connection.get("/api/v1/transactions?limit=1", &person.token).await?;
                anyhow::ensure!(
                    answer.status == 200,
                    "somebody may not look at their list: {}",
                    answer.told()
                );
            }
            Ok(())
        });
    }
    while let Some(visited) = tasks.join_next().await {
        visited??;
    }
    Ok(())
}

/// Into the directory of transaction-service. Nobody is looked up by an address, so the hashes are of none.
async fn list(server: &Server, wallets: &[Wallet]) -> anyhow::Result<()> {
    let directory = server.pool(&platform::database("transaction"), 2);
    let ids: Vec<_> = wallets.iter().map(|wallet| wallet.id.uuid()).collect();
    let owners: Vec<_> = wallets.iter().map(|wallet| wallet.owner.uuid()).collect();
    for statement in [
        "INSERT INTO directory_users (user_id, email_hash, phone_hash, display_name, kyc_tier, status, changed_at)
         SELECT owner, sha256(owner::text::bytea), sha256(id::text::bytea), 'Ada O.', 3, 'active', now()
         FROM UNNEST($1::uuid[], $2::uuid[]) AS new (id, owner)",
        "INSERT INTO directory_wallets (wallet_id, user_id, currency, created_at)
         SELECT id, owner, 'NGN', now() FROM UNNEST($1::uuid[], $2::uuid[]) AS new (id, owner)",
    ] {
        sqlx::query(statement).bind(&ids).bind(&owners).execute(&directory).await?;
    }
    directory.execute("VACUUM (ANALYZE)").await?;
    directory.close().await;
    Ok(())
}

/// With the key of the deployment, as identity-service does.
fn sign_in(wallets: &[Wallet]) -> anyhow::Result<Vec<Person>> {
    let signer = TokenSigner::load_or_create(&Env::of_process("identity").keys_dir())?;
    let now = SystemClock.now().timestamp();
    let person = |wallet: &Wallet| {
        let claims = Claims {
            iss: DEFAULT_ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: wallet.owner,
            sid: ids::new_id(),
            roles: vec![Role::User],
            tier: 3,
            iat: now,
            exp: now + SIGNED_IN_SECONDS,
            nbf: Some(now),
            client_id: None,
            scope: None,
            amr: Vec::new(),
            acr: Assurance::Aal1,
            auth_time: None,
            pin_time: None,
            factors: Vec::new(),
            dev_at: None,
        };
        Ok(Person { wallet: wallet.id, token: signer.sign(&claims)? })
    };
    wallets.iter().map(person).collect()
}
