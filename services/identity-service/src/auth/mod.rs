//! Registering and logging in with a password.

pub(crate) mod error;
pub(crate) mod policy;
mod repo;
pub(crate) mod routes;

use common_auth::{Role, password::Passwords};
use common_db::{
    Op, PgPool,
    idempotency::{self, Claim, IdempotencyKey, RequestHash},
};
use common_events::{Actor, EventContext, contracts::UserRegistered};
use common_utils::{clock::SharedClock, ids::UserId};
use secrecy::SecretString;

use crate::{
    SERVICE_NAME,
    codes::Codes,
    metrics,
    notices::Notices,
    passwords,
    sessions::{IssuedTokens, Sessions},
    users::{
        self, Identifier, Users,
        entity::{NewUser, User},
        error::UserError,
    },
};
use error::AuthError;
use policy::PasswordPolicy;

#[derive(Debug, Clone)]
pub(crate) struct Auth {
    pub(crate) pool: PgPool,
    pub(crate) clock: SharedClock,
    pub(crate) sessions: Sessions,
    pub(crate) passwords: Passwords,
    pub(crate) policy: PasswordPolicy,
    pub(crate) codes: Codes,
    pub(crate) notices: Notices,
}

#[derive(Debug)]
pub(crate) struct SignedIn {
    pub(crate) user: User,
    pub(crate) tokens: IssuedTokens,
}

/// A registration, or the repetition of one.
#[derive(Debug)]
pub(crate) struct Registered {
    pub(crate) signed_in: SignedIn,
    pub(crate) replayed: bool,
}

impl Auth {
    /// Makes the account and signs its owner in, in one transaction with the event.
    ///
    /// Repeated with the same key, content and password it signs in again: the first tokens are known only by their
    /// hashes, so the answer has new ones.
    pub(crate) async fn register(
        &self,
        new: NewUser,
        password: SecretString,
        key: Option<IdempotencyKey>,
    ) -> Result<Registered, AuthError> {
        self.policy.check(&password, &new)?;
        let hash = self.passwords.hash(password.clone()).await?;
        let user = User::register(new, None, self.clock.now());
        let mut op = common_db::begin(&self.pool).await?;
        match self.claim_in_op(&mut op, key, &user).await? {
            Claim::Fresh => {}
            Claim::Mismatch => return Err(AuthError::KeyReused),
            Claim::Known(_) => {
                drop(op);
                return self.register_again(user, password).await;
            }
        }
        insert_in_op(&mut op, &user, &hash, Actor::user(user.id)).await?;
        self.codes.welcome_in_op(&mut op, &user).await?;
        let tokens = self.sessions.open_in_op(&mut op, &user).await?;
        op.commit().await?;
        self.notices.wake();
        metrics::registered();
        tracing::info!(user_id = %user.id, "registered");
        Ok(Registered { signed_in: SignedIn { user, tokens }, replayed: false })
    }

    /// Nobody is signed in yet, so the key belongs to the address that registers. The password stays out of the
    /// fingerprint, which is a fast hash; `register_again` compares it.
    async fn claim_in_op(
        &self,
        op: &mut Op,
        key: Option<IdempotencyKey>,
        user: &User,
    ) -> Result<Claim, AuthError> {
        let Some(key) = key else { return Ok(Claim::Fresh) };
        let email = user.email.as_str();
        let names = (user.first_name.as_str(), user.last_name.as_str());
        let hash = RequestHash::of("identity.register", &(email, user.phone_number.as_str(), names))?;
        let caller = format!("register:{email}");
        let (id, now) = (Some(user.id.uuid()), user.created_at);
        Ok(idempotency::claim_in_op(op, &caller, &key, &hash, id, now).await?)
    }

    async fn register_again(&self, user: User, password: SecretString) -> Result<Registered, AuthError> {
        let signed_in = match self.sign_in(Some(Identifier::Email(user.email)), password).await {
            Err(AuthError::InvalidCredentials) => return Err(AuthError::KeyReused),
            other => other?,
        };
        Ok(Registered { signed_in, replayed: true })
    }

    pub(crate) async fn log_in(
        &self,
        identifier: &str,
        password: SecretString,
    ) -> Result<SignedIn, AuthError> {
        let result = self.sign_in(Identifier::parse(identifier), password).await;
        match &result {
            Ok(SignedIn { user, .. }) => {
                metrics::login("success");
                tracing::info!(user_id = %user.id, "logged in");
            }
            Err(AuthError::InvalidCredentials) => metrics::login("invalid_credentials"),
            Err(AuthError::Inactive) => metrics::login("inactive"),
            Err(_) => metrics::login("error"),
        }
        result
    }

    /// Who logs in somewhere else at the same moment may have their password hashed anew: then it is looked at once more.
    async fn sign_in(
        &self,
        identifier: Option<Identifier>,
        password: SecretString,
    ) -> Result<SignedIn, AuthError> {
        let identifier = identifier.as_ref();
        if let Some(signed_in) = self.try_to_sign_in(identifier, password.clone()).await? {
            return Ok(signed_in);
        }
        self.try_to_sign_in(identifier, password).await?.ok_or(AuthError::InvalidCredentials)
    }

    /// An unknown identifier costs the same query and the same hashing as a known one. None where another hash is stored by now
    /// than the one that was looked at.
    async fn try_to_sign_in(
        &self,
        identifier: Option<&Identifier>,
        password: SecretString,
    ) -> Result<Option<SignedIn>, AuthError> {
        let credential = match identifier {
            Some(identifier) => repo::find(&self.pool, identifier).await?,
            None => None,
        };
        let (known, hash) = credential.map(|found| (found.user_id, found.hash)).unzip();
        let matches = self.passwords.verify(password.clone(), hash.clone()).await?;
        let Some((id, hash)) = known.zip(hash).filter(|_| matches) else {
            tracing::warn!(user_id = known.map(tracing::field::display), "login refused");
            return Err(AuthError::InvalidCredentials);
        };
        let signed_in = self.open(id, &hash).await?;
        if signed_in.is_some() {
            self.keep_up_to_date(id, &hash, password).await;
        }
        Ok(signed_in)
    }

    /// Opens a session, unless the password was changed while it was looked at: the change has ended all sessions, and this one
    /// would outlive it.
    async fn open(&self, id: UserId, hash: &str) -> Result<Option<SignedIn>, AuthError> {
        let mut op = common_db::begin(&self.pool).await?;
        let user = users::repo::find_locked_in_op(&mut op, id).await?.ok_or(UserError::NotFound)?;
        if !user.is_active() {
            tracing::warn!(user_id = %id, status = user.status.name(), "login to an account that is not active");
            return Err(AuthError::Inactive);
        }
        if passwords::hash_in_op(&mut op, id).await?.is_none_or(|stored| stored != hash) {
            return Ok(None);
        }
        let tokens = self.sessions.open_in_op(&mut op, &user).await?;
        op.commit().await?;
        Ok(Some(SignedIn { user, tokens }))
    }

    /// Hashes a password that was right with today's algorithm and cost, where it is stored with others. What goes wrong is put
    /// right by the next login.
    async fn keep_up_to_date(&self, id: UserId, hash: &str, password: SecretString) {
        if !self.passwords.is_outdated(hash) {
            return;
        }
        let rehashed = async {
            let new = self.passwords.hash(password).await?;
            repo::rehash(&self.pool, id, hash, &new).await.map_err(AuthError::from)
        };
        match rehashed.await {
            Ok(()) => tracing::info!(user_id = %id, "password hashed anew"),
            Err(error) => tracing::warn!(user_id = %id, %error, "the password could not be hashed anew"),
        }
    }
}

/// Makes a member of staff, as an operator on the machine asks for.
pub(crate) async fn create_staff(
    users: &Users,
    (passwords, policy): (&Passwords, PasswordPolicy),
    new: NewUser,
    role: Role,
    password: SecretString,
) -> Result<User, AuthError> {
    policy.check(&password, &new)?;
    let hash = passwords.hash(password).await?;
    let user = User::register(new, Some(role), users.clock.now());
    let mut op = common_db::begin(&users.pool).await?;
    insert_in_op(&mut op, &user, &hash, Actor::service(SERVICE_NAME)).await?;
    op.commit().await?;
    tracing::info!(user_id = %user.id, role = role.name(), "staff account made");
    Ok(user)
}

async fn insert_in_op(op: &mut Op, user: &User, hash: &str, actor: Actor) -> Result<(), AuthError> {
    users::repo::insert_in_op(op, user).await?;
    repo::insert_in_op(op, user.id, hash, user.created_at).await?;
    let context = EventContext::new(SERVICE_NAME, actor, user.created_at);
    Ok(users::publish_in_op(op, &context, &UserRegistered(user.into())).await?)
}
