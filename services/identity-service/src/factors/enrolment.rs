//! How somebody comes to an authenticator app and to recovery codes, and gives them up.
//!
//! An app is begun (its secret is shown once), then confirmed by a code of it within a quarter of an hour: until then nothing is asked for.
//! With the first second factor come recovery codes, which are shown once, too. It takes the password to begin,
//! or the second factor where there is one; giving up takes that one.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use common_auth::{CurrentUser, Method};
use common_db::Op;
use common_utils::ids::UserId;
use qrcode::{QrCode, render::svg};
use secrecy::SecretString;

use super::{
    Factors, active_in_op,
    error::FactorError,
    recovery::{CODES, RecoveryCode},
    repo,
    totp::TotpSecret,
};
use crate::{
    begun,
    codes::entity::Code,
    notices::entity::Message,
    passwords::proof,
    sessions::{AccessToken, entity::SessionId},
    users::{self, ContactKind, entity::User},
};

/// A secret that nobody confirmed is none after this.
const WAITS: TimeDelta = TimeDelta::minutes(15);
const QR_PIXELS: u32 = 240;

/// What an authenticator app is told, once.
pub(super) struct Enrolment {
    pub(super) secret: String,
    pub(super) uri: String,
    /// An image, as a `data:` URI.
    pub(super) qr_code: String,
}

/// What somebody gets who has confirmed an app.
pub(super) struct Confirmed {
    /// Where it is the first second factor.
    pub(super) recovery_codes: Vec<String>,
    pub(super) access: AccessToken,
}

/// What somebody has.
#[derive(Debug)]
pub(super) struct Enrolled {
    pub(super) methods: Vec<Method>,
    pub(super) app_since: Option<DateTime<Utc>>,
    pub(super) recovery_codes_left: i64,
}

impl Factors {
    pub(super) async fn enrolled(&self, id: UserId) -> Result<Enrolled, FactorError> {
        let user = self.users.get(id).await?;
        Ok(Enrolled {
            methods: user.factors.into_iter().collect(),
            app_since: repo::find_confirmed_at(&self.pool, id).await?,
            recovery_codes_left: repo::count_recovery_codes(&self.pool, id).await?,
        })
    }

    /// Another secret takes the place of one that waits to be confirmed.
    pub(super) async fn begin(
        &self,
        caller: &CurrentUser,
        password: Option<SecretString>,
    ) -> Result<Enrolment, FactorError> {
        self.allow_another()?;
        let proved = self.proofs.check_beside_factor(caller, password).await?;
        let secret = TotpSecret::random();
        let sealed = self.secrets.seal(caller.id, &secret)?;
        let mut op = common_db::begin(&self.pool).await?;
        let user = active_in_op(&mut op, caller.id, &self.clock).await?;
        proof::stands_in_op(&mut op, &user, proved.as_deref()).await?;
        if user.factors.contains(&Method::Totp) {
            return Err(FactorError::Enrolled);
        }
        let enrolment = self.shown(&secret, &user)?;
        repo::write_waiting_in_op(&mut op, user.id, &sealed, self.clock.now()).await?;
        op.commit().await?;
        Ok(enrolment)
    }

    fn shown(&self, secret: &TotpSecret, user: &User) -> Result<Enrolment, FactorError> {
        let uri = secret.uri(&self.issuer, user.email.as_str());
        let uri = uri.map_err(|error| FactorError::Rendering(error.into()))?;
        let code = QrCode::new(&uri).map_err(|error| FactorError::Rendering(error.into()))?;
        let image = code.render::<svg::Color<'_>>().min_dimensions(QR_PIXELS, QR_PIXELS).build();
        let qr_code = format!("data:image/svg+xml;base64,{}", STANDARD.encode(image));
        Ok(Enrolment { secret: secret.base32(), uri, qr_code })
    }

    /// The code is used up by it, and counts as a proof: the session is as good as if it had been opened with it.
    pub(super) async fn confirm(&self, caller: &CurrentUser, code: &Code) -> Result<Confirmed, FactorError> {
        self.allow_another()?;
        self.count_code(caller).await?;
        let now = self.clock.now();
        let mut op = common_db::begin(&self.pool).await?;
        let mut user = active_in_op(&mut op, caller.id, &self.clock).await?;
        begun::require(&user, caller)?;
        let sealed = repo::find_waiting_in_op(&mut op, user.id, now - WAITS).await?;
        let secret = self.secrets.open(user.id, &sealed.ok_or(FactorError::NothingToConfirm)?)?;
        let step = secret.step_of(code, now).ok_or(FactorError::Wrong)?;
        repo::confirm_in_op(&mut op, user.id, step, now).await?;
        let recovery_codes = self.add_second_in_op(&mut op, &mut user, Method::Totp).await?;
        let session = SessionId::from(caller.claims.sid);
        let access = self.sessions.step_up_in_op(&mut op, &user, session, Method::Totp).await?;
        op.commit().await?;
        self.forget_counted_codes(caller).await?;
        self.notices.wake();
        tracing::info!(user_id = %user.id, "an authenticator app was added");
        Ok(Confirmed { recovery_codes, access })
    }

    pub(super) async fn remove_totp(&self, id: UserId) -> Result<(), FactorError> {
        let mut op = common_db::begin(&self.pool).await?;
        let mut user = active_in_op(&mut op, id, &self.clock).await?;
        if !user.factors.contains(&Method::Totp) {
            return Err(FactorError::NotEnrolled);
        }
        repo::delete_totp_in_op(&mut op, id).await?;
        self.remove_in_op(&mut op, &mut user, Method::Totp).await?;
        op.commit().await?;
        self.notices.wake();
        tracing::info!(user_id = %id, "an authenticator app was removed");
        Ok(())
    }

    /// In the place of those that were handed out before.
    pub(super) async fn renew_recovery_codes(&self, id: UserId) -> Result<Vec<String>, FactorError> {
        let mut op = common_db::begin(&self.pool).await?;
        let mut user = active_in_op(&mut op, id, &self.clock).await?;
        if user.second_factors().is_empty() {
            return Err(FactorError::NotEnrolled);
        }
        let codes = self.hand_out_in_op(&mut op, &mut user).await?;
        let now = user.at();
        users::repo::update_factors_in_op(&mut op, &user).await?;
        let to = user.trusted_contact(ContactKind::Email);
        self.notices.write_in_op(&mut op, &[Message::factor_added(&to, Method::Recovery, now)]).await?;
        op.commit().await?;
        self.notices.wake();
        tracing::info!(user_id = %id, "recovery codes were handed out anew");
        Ok(codes)
    }

    /// The person's row is written by the caller.
    pub(super) async fn hand_out_in_op(
        &self,
        op: &mut Op,
        user: &mut User,
    ) -> Result<Vec<String>, FactorError> {
        let codes: Vec<RecoveryCode> = (0..CODES).map(|_| RecoveryCode::random()).collect();
        let hashes: Vec<[u8; 32]> = codes.iter().map(|code| self.secrets.hash(user.id, code)).collect();
        repo::replace_recovery_codes_in_op(op, user.id, &hashes, self.clock.now()).await?;
        user.add_factor(Method::Recovery);
        Ok(codes.iter().map(RecoveryCode::shown).collect())
    }
}
