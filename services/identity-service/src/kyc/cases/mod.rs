//! Applying for a tier: a case, what belongs to it, and what becomes of it.
//!
//! Steps: the person opens a case with what they claim → the transaction that writes it also says so in an event → a worker asks the
//! provider about each piece of evidence, with no transaction open (`checks`) → the rules decide (`decision`), or refer it to
//! reviewers (`kyc::reviews`) → one transaction locks the person and then the case, writes the decision with who, when and why, raises the
//! tier where it was approved (`grant`), publishes, and writes to the person. Whoever comes second finds the case decided.
//!
//! What a person claims is encrypted under their own key; ids, tiers, statuses and reasons are all that events, logs and lists have.

pub(crate) mod at_once;
pub(crate) mod checks;
pub(crate) mod decision;
pub(crate) mod entity;
pub(crate) mod error;
mod events;
pub(crate) mod grant;
pub(crate) mod metrics;
pub(crate) mod repo;
pub(crate) mod routes;
pub(crate) mod view;
mod words;

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use common_db::{
    Op, PgPool,
    idempotency::{RepeatableCall, SavedResponse},
};
use common_events::{Actor, EventContext};
use common_utils::{
    clock::SharedClock,
    http::paging::{Limit, Page},
    ids::UserId,
};
use tokio::sync::Notify;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    claims::{Address, Claims, Nin},
    documents::{self, room::Rooms},
    entity::{Bvn, DateOfBirth},
    evidence::EvidenceKind,
    numbers,
    policy::{Policies, Policy, TierPolicy},
    provider::KycProvider,
    validity,
};
use crate::{
    SERVICE_NAME,
    allowances::{Allowance, Allowances, Counted},
    crypto::{
        data_key::{Field, Place},
        vault::Vault,
    },
    notices::{Notices, entity::Message},
    users::{self, ContactKind, LockedUser, Users, entity::User, error::UserError},
};
use entity::{Case, CaseId, Reason, Status, Step};
use error::CaseError;
use grant::{Proofs, TierEvidence};
use repo::{Beside, By};
use view::CaseView;

/// What use cases and workers share.
#[derive(Debug, Clone)]
pub(crate) struct Cases {
    pub(crate) pool: PgPool,
    pub(crate) clock: SharedClock,
    pub(crate) users: Users,
    pub(crate) vault: Vault,
    pub(crate) provider: Arc<dyn KycProvider>,
    pub(crate) policies: Arc<Policies>,
    pub(crate) allowances: Allowances,
    pub(crate) notices: Notices,
    pub(crate) wake: Arc<Notify>,
    /// For documents on their way.
    pub(crate) rooms: Rooms,
}

/// What somebody applies for.
#[derive(Debug)]
pub(crate) struct Application {
    /// None: where the platform is at home.
    pub(crate) country: Option<String>,
    pub(crate) tier: i16,
    pub(crate) bvn: Option<Bvn>,
    pub(crate) nin: Option<Nin>,
    pub(crate) date_of_birth: DateOfBirth,
    pub(crate) address: Option<Address>,
}

impl Application {
    fn claims(self, user: &User) -> Claims {
        Claims {
            first_name: user.first_name.clone(),
            last_name: user.last_name.clone(),
            bvn: self.bvn,
            nin: self.nin,
            date_of_birth: self.date_of_birth,
            address: self.address,
        }
    }

    /// By which a repeated application is known, and nobody can try out what is in it: a plain hash of eleven digits hides nothing.
    pub(crate) fn fingerprint(&self, vault: &Vault) -> String {
        let (bvn, nin) = (self.bvn.as_ref().map(Bvn::digits), self.nin.as_ref().map(Nin::digits));
        let address = self.address.as_ref().map(|at| (&at.line, &at.city, &at.state));
        let born = Zeroizing::new(self.date_of_birth.to_string());
        let told =
            Zeroizing::new(format!("{:?} {} {bvn:?} {nin:?} {} {address:?}", self.country, self.tier, *born));
        URL_SAFE_NO_PAD.encode(vault.lookup(Field::KycClaims, &told))
    }
}

/// The answer of this call, or of the first one with its key.
#[derive(Debug)]
pub(crate) enum Answer {
    Now(SavedResponse),
    Replayed(SavedResponse),
}

/// With which numbers a person is verified, recently enough for a tier.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OnFile {
    pub(crate) bvn: bool,
    pub(crate) nin: bool,
}

impl OnFile {
    /// A number holds as evidence for as long as a tier that it was given for would hold without being verified anew.
    fn of(verified: &numbers::Verified, tier: &TierPolicy, at: DateTime<Utc>) -> Self {
        let holds =
            |since: DateTime<Utc>| tier.validity.is_none_or(|validity| validity.from(since).remind_at > at);
        Self {
            bvn: verified.bvn_verified_at.is_some_and(holds),
            nin: verified.nin_verified_at.is_some_and(holds),
        }
    }

    pub(crate) fn has(self, kind: EvidenceKind) -> bool {
        match kind {
            EvidenceKind::Bvn => self.bvn,
            EvidenceKind::Nin => self.nin,
            EvidenceKind::AddressDocument | EvidenceKind::Selfie => false,
        }
    }
}

impl Cases {
    /// Opens a case. It is looked at at once, by a worker.
    pub(crate) async fn open(
        &self,
        id: UserId,
        application: Application,
        call: &RepeatableCall,
    ) -> Result<Answer, CaseError> {
        let now = self.clock.now();
        if let Some(saved) = call.answered(&self.pool, now).await? {
            return Ok(Answer::Replayed(saved));
        }
        let policy = match &application.country {
            Some(country) => self.policy_of(country)?,
            None => self.policies.home(),
        };
        let tier = policy.tier(application.tier).ok_or(CaseError::UnknownTier(application.tier))?;
        let user = self.users.get(id).await?;
        let due = validity::repo::is_due(&self.pool, id, tier.tier, now).await?;
        require_below(&user, tier, due)?;
        let claims = application.claims(&user);
        let held = self.held_against(id, &claims).await?;
        require_claims(tier, &claims, OnFile::of(&held, tier, now))?;
        let (case, step) = Case::open(id, policy.country.clone(), tier.tier, now);
        let sealed = self.vault.key(id).await?.seal(&place(&case), &claims.to_bytes()?)?;

        let mut op = common_db::begin(&self.pool).await?;
        if let Some(saved) = call.claim_in_op(&mut op, now).await? {
            return Ok(Answer::Replayed(saved));
        }
        let user = users::repo::find_locked_in_op(&mut op, id, &self.clock).await?;
        let user = user.ok_or(UserError::NotFound)?;
        require_below(&user, tier, due)?;
        self.allowances.take_in_op(&mut op, Counted::CasesBy(id), Allowance::CASES).await??;
        repo::insert_in_op(&mut op, &case, &sealed).await?;
        let by = Actor::user(id);
        self.record_in_op(&mut op, &case, step, (by, Beside::default()), now).await?;
        let view = CaseView::of(&case, Some(tier), &[]);
        let answer = SavedResponse { status: 201, body: serde_json::to_value(view)? };
        call.save_in_op(&mut op, &answer).await?;
        op.commit().await?;
        self.wake.notify_one();
        tracing::info!(user_id = %id, case_id = %case.id, tier = case.tier, "KYC case opened");
        Ok(Answer::Now(answer))
    }

    /// Somebody's cases, newest first.
    pub(crate) async fn list(
        &self,
        user: UserId,
        before: Option<Uuid>,
        limit: Limit,
    ) -> Result<Page<CaseView>, CaseError> {
        let cases = repo::list(&self.pool, user, before, limit.rows()).await?;
        let ids: Vec<_> = cases.iter().map(|case| case.id).collect();
        let documents = documents::repo::of_cases(&self.pool, &ids).await?;
        let page = Page::from_rows(cases, limit, |case| case.id);
        let mut views = Vec::with_capacity(page.items.len());
        for case in &page.items {
            let own: Vec<_> = documents.iter().filter(|one| one.case == case.id).cloned().collect();
            views.push(CaseView::of(case, self.tier_of(case).ok(), &own));
        }
        Ok(Page { items: views, next_cursor: page.next_cursor })
    }

    /// One of somebody's own cases.
    pub(crate) async fn get(&self, user: UserId, id: CaseId) -> Result<CaseView, CaseError> {
        let case = repo::find(&self.pool, id).await?.filter(|case| case.user == user);
        let case = case.ok_or(CaseError::NotFound)?;
        let documents = documents::repo::of_cases(&self.pool, &[id]).await?;
        Ok(CaseView::of(&case, self.tier_of(&case).ok(), &documents))
    }

    pub(crate) fn policy_of(&self, country: &str) -> Result<&Policy, CaseError> {
        self.policies.of(country).ok_or_else(|| CaseError::UnknownCountry(country.to_owned()))
    }

    /// Refuses a case that was opened when the country had the tier, where it has it no more.
    pub(crate) fn tier_of(&self, case: &Case) -> Result<&TierPolicy, CaseError> {
        self.policy_of(&case.country)?.tier(case.tier).ok_or(CaseError::UnknownTier(case.tier))
    }

    /// What the person is verified with; refuses claims of something else.
    async fn held_against(&self, id: UserId, claims: &Claims) -> Result<numbers::Verified, CaseError> {
        let verified = numbers::find(&self.pool, id).await?;
        let other = |stored: &Option<Vec<u8>>, claimed: Option<[u8; 32]>| {
            stored.as_ref().zip(claimed).is_some_and(|(stored, claimed)| *stored != claimed)
        };
        let bvn = claims.bvn.as_ref().map(|bvn| self.vault.lookup(Field::Bvn, bvn.digits()));
        if other(&verified.bvn_lookup, bvn) {
            return Err(CaseError::OtherThanVerified("bvn"));
        }
        let nin = claims.nin.as_ref().map(|nin| self.vault.lookup(Field::Nin, nin.digits()));
        if other(&verified.nin_lookup, nin) {
            return Err(CaseError::OtherThanVerified("nin"));
        }
        let key = self.vault.existing_key(id).await?;
        let born = grant::born(&self.vault, key.as_ref(), id, &verified)?;
        if born.is_some_and(|born| *born != claims.date_of_birth.to_string()) {
            return Err(CaseError::OtherThanVerified("dateOfBirth"));
        }
        Ok(verified)
    }

    /// What the person claimed, read with their key.
    pub(crate) async fn claims(&self, case: &Case) -> Result<Claims, CaseError> {
        let stored = repo::claims(&self.pool, case.id).await?;
        let key = self.vault.existing_key(case.user).await?;
        let key = key.ok_or(CaseError::Pii(crate::crypto::error::PiiError::Erased))?;
        Ok(Claims::from_bytes(&key.open(&place(case), &stored)?)?)
    }

    /// Writes a change of a case that is locked, its decision and event, and what follows from it for the person, who is locked, too.
    /// `proofs` are given where the case may be approved.
    pub(crate) async fn settle_in_op(
        &self,
        op: &mut Op,
        (case, user): (&Case, &mut LockedUser),
        step: Step,
        (by, beside): (Actor, Beside),
        proofs: Option<&Proofs>,
    ) -> Result<(), CaseError> {
        let now = self.clock.now();
        repo::update_in_op(op, case).await?;
        self.record_in_op(op, case, step, (by.clone(), beside), now).await?;
        if step.to == Status::Approved
            && let Some(proofs) = proofs
        {
            self.grant_in_op(op, (case, TierEvidence::Case), user, proofs, by).await?;
        }
        if step.from != Some(step.to)
            && let Some(message) = Message::kyc_case(&user.trusted_contact(ContactKind::Email), case, now)
        {
            self.notices.write_in_op(op, &[message]).await?;
        }
        Ok(())
    }

    /// Of who closes their account for good, and whose row is locked: nobody decides about them any more.
    pub(crate) async fn end_open_in_op(
        &self,
        op: &mut Op,
        user: &LockedUser,
        by: Actor,
    ) -> Result<(), CaseError> {
        for mut case in repo::open_of_locked_in_op(op, user.id).await? {
            let now = self.clock.now();
            let step = match case.status {
                Status::MoreNeeded => case.expire(now)?,
                _ => case.reject(Reason::AccountInactive, now)?,
            };
            repo::update_in_op(op, &case).await?;
            self.record_in_op(op, &case, step, (by.clone(), Beside::default()), now).await?;
        }
        Ok(())
    }

    async fn record_in_op(
        &self,
        op: &mut Op,
        case: &Case,
        step: Step,
        (by, beside): (Actor, Beside),
        now: DateTime<Utc>,
    ) -> Result<(), CaseError> {
        let (kind, id) = by.parts();
        let kept = By { kind: kind.to_owned(), id: id.to_owned() };
        repo::insert_decision_in_op(op, case, step, (&kept, beside), now).await?;
        events::publish_in_op(op, &EventContext::new(SERVICE_NAME, by, now), case, step).await
    }

    /// After the commit.
    pub(crate) fn settled(&self, case: &Case, step: Step, by: &'static str) {
        metrics::decided(step.action, by);
        self.notices.wake();
        let (action, to, reason) = (step.action.name(), step.to.name(), step.reason.name());
        tracing::info!(case_id = %case.id, user_id = %case.user, action, to, reason, by, "KYC case");
    }
}

/// Where the claims of a case are kept.
fn place(case: &Case) -> Place {
    Place::in_row(case.user, Field::KycClaims, case.id.uuid())
}

/// What one reviewer wrote beside one decision.
pub(crate) fn note_place(case: &Case, decision: Uuid) -> Place {
    Place::in_row(case.user, Field::KycNote, decision)
}

/// Who is `due` verifies the tier that they have anew.
fn require_below(user: &User, tier: &TierPolicy, due: bool) -> Result<(), CaseError> {
    if !user.is_active() {
        return Err(CaseError::Inactive);
    }
    let reached = user.kyc_tier > tier.tier || (user.kyc_tier == tier.tier && !due);
    if reached { Err(CaseError::TierReached) } else { Ok(()) }
}

/// Numbers and address cannot be sent later: without them there is nothing to look at.
fn require_claims(tier: &TierPolicy, claims: &Claims, on_file: OnFile) -> Result<(), CaseError> {
    let claimed = |kind| match kind {
        EvidenceKind::Bvn => claims.bvn.is_some() || on_file.bvn,
        EvidenceKind::Nin => claims.nin.is_some() || on_file.nin,
        EvidenceKind::AddressDocument | EvidenceKind::Selfie => true,
    };
    match decision::missing(tier, claimed).first() {
        Some(EvidenceKind::Bvn) => return Err(CaseError::ClaimMissing("bvn")),
        Some(EvidenceKind::Nin) => return Err(CaseError::ClaimMissing("nin")),
        Some(EvidenceKind::AddressDocument | EvidenceKind::Selfie) | None => {}
    }
    let address_proved = tier.takes(EvidenceKind::AddressDocument);
    if address_proved && claims.address.is_none() { Err(CaseError::ClaimMissing("address")) } else { Ok(()) }
}
