//! Registering and logging in with a password. Who has a second factor is asked for it afterwards (`factors`).

pub(crate) mod error;
mod imported;
pub(crate) mod policy;
mod repo;
pub(crate) mod routes;

use std::sync::Arc;

use common_auth::{
    Method, Role,
    password::{PasswordError, Passwords},
};
use common_db::{
    Op, PgPool,
    idempotency::{self, Claim, IdempotencyKey, RequestHash},
};
use common_events::{Actor, EventContext};
use common_utils::{clock::SharedClock, ids::UserId};
use secrecy::SecretString;

use crate::{
    SERVICE_NAME,
    codes::Codes,
    factors::{Challenge, Factors},
    guard::{Attempt, Guard, error::GuardError},
    metrics,
    notices::Notices,
    passwords,
    sessions::{IssuedTokens, Origin, Proof, Sessions},
    users::{
        self, Identifier, Users,
        entity::{NewUser, User},
        error::UserError,
    },
};
use error::AuthError;
pub(crate) use imported::ImportedHashes;
use policy::PasswordPolicy;
use repo::Credential;

#[derive(Debug, Clone)]
pub(crate) struct Auth {
    pub(crate) pool: PgPool,
    pub(crate) clock: SharedClock,
    pub(crate) sessions: Sessions,
    pub(crate) passwords: Passwords,
    pub(crate) imported: ImportedHashes,
    pub(crate) policy: PasswordPolicy,
    pub(crate) codes: Codes,
    pub(crate) notices: Notices,
    pub(crate) guard: Guard,
    pub(crate) factors: Arc<Factors>,
}

#[derive(Debug)]
pub(crate) struct SignedIn {
    pub(crate) user: User,
    pub(crate) tokens: IssuedTokens,
}

/// What the right password leads to.
#[derive(Debug)]
pub(crate) enum LoggedIn {
    Entered(Box<SignedIn>),
    /// They have a second factor, and are asked for it.
    Challenged(Challenge),
}

/// A registration, or the repetition of one.
#[derive(Debug)]
pub(crate) struct Registered {
    pub(crate) signed_in: SignedIn,
    pub(crate) replayed: bool,
}

/// A sign-in that is under way.
#[derive(Clone, Copy)]
struct Entry<'a> {
    known: Option<&'a Identifier>,
    attempt: &'a Attempt,
    origin: &'a Origin,
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
        origin: &Origin,
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
                return self.register_again(user, password, origin).await;
            }
        }
        insert_in_op(&mut op, &user, &hash, Actor::user(user.id)).await?;
        self.codes.welcome_in_op(&mut op, &user).await?;
        let proof = Proof::by([Method::Password], user.created_at);
        let tokens = self.sessions.open_in_op(&mut op, &user, origin, proof).await?;
        self.guard.welcome_in_op(&mut op, &user, origin).await?;
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

    async fn register_again(
        &self,
        user: User,
        password: SecretString,
        origin: &Origin,
    ) -> Result<Registered, AuthError> {
        match self.sign_in(user.email.as_str(), password, origin).await {
            Ok(LoggedIn::Entered(signed_in)) => Ok(Registered { signed_in: *signed_in, replayed: true }),
            // Whoever has enrolled since then logs in.
            Ok(LoggedIn::Challenged(_)) | Err(AuthError::InvalidCredentials) => Err(AuthError::KeyReused),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn log_in(
        &self,
        identifier: &str,
        password: SecretString,
        origin: &Origin,
    ) -> Result<LoggedIn, AuthError> {
        let result = self.sign_in(identifier, password, origin).await;
        match &result {
            Ok(LoggedIn::Entered(signed_in)) => {
                metrics::login("success");
                tracing::info!(user_id = %signed_in.user.id, "logged in");
            }
            Ok(LoggedIn::Challenged(_)) => metrics::login("second_factor_asked"),
            Err(AuthError::InvalidCredentials) => metrics::login("invalid_credentials"),
            Err(AuthError::Inactive) => metrics::login("inactive"),
            Err(AuthError::Guard(GuardError::TooMany { .. })) => metrics::login("held_back"),
            Err(_) => metrics::login("error"),
        }
        result
    }

    /// An unknown identifier costs the same queries and the same hashing as a known one, and waits as long after failures. A wrong
    /// password was counted before it was looked at; whatever else goes wrong was no failure, and no success either is the right password
    /// of who has a second factor.
    async fn sign_in(
        &self,
        identifier: &str,
        password: SecretString,
        origin: &Origin,
    ) -> Result<LoggedIn, AuthError> {
        let known = Identifier::parse(identifier);
        let found = self.find(known.as_ref()).await?;
        let owner = found.as_ref().map(|found| found.user_id);
        let attempt = self.guard.attempt(identifier, owner, origin).await?;
        let entry = Entry { known: known.as_ref(), attempt: &attempt, origin };
        let result = self.try_twice(entry, found, password).await;
        if !matches!(result, Ok(LoggedIn::Entered(_)) | Err(AuthError::InvalidCredentials)) {
            let overloaded = matches!(result, Err(AuthError::Password(PasswordError::Overloaded)));
            self.guard.take_back(&attempt, overloaded).await?;
        }
        result
    }

    async fn find(&self, known: Option<&Identifier>) -> sqlx::Result<Option<Credential>> {
        match known {
            Some(identifier) => repo::find(&self.pool, identifier).await,
            None => Ok(None),
        }
    }

    /// Who logs in somewhere else at the same moment may have their password hashed anew: then it is looked at once more.
    async fn try_twice(
        &self,
        entry: Entry<'_>,
        found: Option<Credential>,
        password: SecretString,
    ) -> Result<LoggedIn, AuthError> {
        if let Some(logged_in) = self.try_to_sign_in(entry, found, password.clone()).await? {
            return Ok(logged_in);
        }
        let found = self.find(entry.known).await?;
        self.try_to_sign_in(entry, found, password).await?.ok_or(AuthError::InvalidCredentials)
    }

    /// None where another hash is stored by now than the one that was looked at.
    async fn try_to_sign_in(
        &self,
        entry: Entry<'_>,
        found: Option<Credential>,
        password: SecretString,
    ) -> Result<Option<LoggedIn>, AuthError> {
        let (known, hash) = found.map(|found| (found.user_id, found.hash)).unzip();
        let dearest = self.imported.highest_cost().await?;
        let matches = self.passwords.verify_alike(password.clone(), hash.clone(), dearest).await?;
        let Some((id, hash)) = known.zip(hash).filter(|_| matches) else {
            tracing::warn!(user_id = known.map(tracing::field::display), "login refused");
            return Err(AuthError::InvalidCredentials);
        };
        let logged_in = self.open(id, &hash, entry).await?;
        if logged_in.is_some() {
            self.keep_up_to_date(id, &hash, password).await;
        }
        Ok(logged_in)
    }

    /// Opens a session, or asks for the second factor, unless the password was changed while it was looked at: the change has ended all
    /// sessions, and this one would outlive it. With a session, what failed before is over.
    async fn open(&self, id: UserId, hash: &str, entry: Entry<'_>) -> Result<Option<LoggedIn>, AuthError> {
        let mut op = common_db::begin(&self.pool).await?;
        let user =
            users::repo::find_locked_in_op(&mut op, id, &self.clock).await?.ok_or(UserError::NotFound)?;
        if !user.is_active() {
            tracing::warn!(user_id = %id, status = user.status.name(), "login to an account that is not active");
            return Err(AuthError::Inactive);
        }
        if passwords::hash_in_op(&mut op, id).await?.is_none_or(|stored| stored != hash) {
            return Ok(None);
        }
        if !user.second_factors().is_empty() {
            let challenge = self.factors.challenge_in_op(&mut op, &user, &[Method::Password]).await?;
            op.commit().await?;
            return Ok(Some(LoggedIn::Challenged(challenge)));
        }
        self.guard.succeeded_in_op(&mut op, entry.attempt, &user, entry.origin).await?;
        let proof = Proof::by([Method::Password], self.clock.now());
        let tokens = self.sessions.open_in_op(&mut op, &user, entry.origin, proof).await?;
        op.commit().await?;
        Ok(Some(LoggedIn::Entered(Box::new(SignedIn { user: user.into(), tokens }))))
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
    Ok(users::publish_in_op(op, &context, &users::registered(user)).await?)
}
