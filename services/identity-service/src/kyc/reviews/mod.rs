//! What reviewers see and decide.
//!
//! Steps of a decision: the case is read, what the person claimed and what the reviewer wrote is opened and encrypted, with no transaction
//! open → one transaction locks the person and then the case, and holds the decision against where it stands now → it is written with who,
//! when and why. A case comes in rounds: who approved in this round does not approve in it again, and for a tier that needs two, the
//! second is another one; the database has that, too. Nobody decides about themselves. Every look at what a person told or sent is kept,
//! and told in an event.

pub(crate) mod repo;
pub(crate) mod routes;
mod view;

use chrono::{DateTime, Utc};
use common_db::Op;
use common_events::{
    Actor, EventContext, NewEvent,
    contracts::{KycEvidenceViewSnapshot, KycEvidenceViewed},
    outbox,
};
use common_utils::{
    http::paging::{Limit, Page},
    ids::{self, UserId},
};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    cases::{
        self, Cases,
        entity::{Action, Case, CaseId, NotPossible, Reason, Status, Step},
        error::CaseError,
        grant::Proofs,
        repo::Beside,
        view::CaseView,
    },
    claims::Claims,
    documents::{self, repo::Document},
    evidence::EvidenceKind,
    numbers,
};
use crate::{
    SERVICE_NAME,
    crypto::error::PiiError,
    users::{self, entity::User, error::UserError},
};
use repo::{Filter, Queued};
use view::ReviewedCase;

/// What a reviewer decides.
#[derive(Debug)]
pub(crate) enum Decision {
    Approve,
    Reject(Reason),
    /// The person has to send these.
    AskForMore(Reason, Vec<EvidenceKind>),
}

impl Decision {
    fn reason(&self) -> Reason {
        match self {
            Self::Approve => Reason::RequirementsMet,
            Self::Reject(reason) | Self::AskForMore(reason, _) => *reason,
        }
    }
}

impl Cases {
    /// Cases as reviewers list them: ids, and nothing by which a person is known.
    pub(crate) async fn queue(
        &self,
        filter: Filter,
        after: Option<Uuid>,
        limit: Limit,
    ) -> Result<Page<Queued>, CaseError> {
        let rows = repo::list(&self.pool, filter, after, limit.rows()).await?;
        Ok(Page::from_rows(rows, limit, |row| row.case.id))
    }

    /// Everything about a case but what is in its documents. That it was looked at is kept.
    pub(crate) async fn review(&self, reviewer: UserId, id: CaseId) -> Result<ReviewedCase, CaseError> {
        let case = self.another_persons(reviewer, id).await?;
        let user = self.users.get(case.user).await?;
        let claims = self.claims(&case).await?;
        let documents = documents::repo::of_cases(&self.pool, &[id]).await?;
        let checks = cases::repo::checks(&self.pool, id).await?;
        let decisions = cases::repo::decisions(&self.pool, id).await?;
        let key = self.vault.existing_key(case.user).await?.ok_or(PiiError::Erased)?;
        let mut notes = Vec::with_capacity(decisions.len());
        for decision in &decisions {
            let open = |note: &Vec<u8>| key.open_text(&cases::note_place(&case, decision.id), note);
            notes.push(decision.note.as_ref().map(open).transpose()?);
        }
        let needed = self.tier_of(&case).ok().map(|tier| tier.approvals);
        self.note_look(&case, None, reviewer).await?;
        Ok(ReviewedCase::of(
            &case,
            &user,
            &claims,
            &documents,
            &checks,
            decisions.into_iter().zip(notes),
            needed,
        ))
    }

    /// What is in a document. That it was looked at is kept.
    pub(crate) async fn look_at_document(
        &self,
        reviewer: UserId,
        id: CaseId,
        document: Uuid,
    ) -> Result<(Document, Zeroizing<Vec<u8>>), CaseError> {
        let case = self.another_persons(reviewer, id).await?;
        let documents = documents::repo::of_cases(&self.pool, &[id]).await?;
        let document = documents.into_iter().find(|one| one.id == document).ok_or(CaseError::NoDocument)?;
        let content = self.content(&case, &document).await?;
        // Before it is shown: nobody looks without a trace.
        self.note_look(&case, Some(document.id), reviewer).await?;
        Ok((document, content))
    }

    async fn note_look(&self, case: &Case, document: Option<Uuid>, viewer: UserId) -> Result<(), CaseError> {
        let now = self.clock.now();
        let mut op = common_db::begin(&self.pool).await?;
        repo::insert_access_in_op(&mut op, case.id, document, viewer, now).await?;
        let context = EventContext::new(SERVICE_NAME, Actor::staff(viewer), now);
        let look = KycEvidenceViewed(KycEvidenceViewSnapshot {
            user_id: case.user.uuid(),
            case_id: case.id.uuid(),
            document_id: document,
            viewed_at: now,
        });
        outbox::publish_in_op(&mut op, &[NewEvent::new(&context, &look).map_err(CaseError::from)?]).await?;
        op.commit().await?;
        tracing::info!(case_id = %case.id, user_id = %case.user, viewer_id = %viewer, "KYC evidence looked at");
        Ok(())
    }

    /// Decides, with a note for other reviewers.
    pub(crate) async fn decide(
        &self,
        reviewer: UserId,
        id: CaseId,
        decision: Decision,
        note: Option<SecretString>,
    ) -> Result<CaseView, CaseError> {
        let case = self.another_persons(reviewer, id).await?;
        let approval = match decision {
            Decision::Approve => Some(self.approval(&case).await?),
            Decision::Reject(_) | Decision::AskForMore(..) => None,
        };
        let beside = self.beside(&case, note).await?;

        let mut op = common_db::begin(&self.pool).await?;
        let user = users::repo::find_locked_in_op(&mut op, case.user, &self.clock).await?;
        let mut user = user.ok_or(UserError::NotFound)?;
        let now = self.clock.now();
        let locked = cases::repo::find_locked_in_op(&mut op, id).await?;
        let mut case = locked.ok_or(CaseError::NotFound)?;
        if let Some((claims, proofs)) = &approval {
            self.require_approvable_in_op(&mut op, &case, &user, (claims, proofs)).await?;
        }
        let step = self.step_in_op(&mut op, &mut case, reviewer, decision, now).await?;
        let by = (Actor::staff(reviewer), beside);
        let proofs = approval.as_ref().map(|(_, proofs)| proofs);
        self.settle_in_op(&mut op, (&case, &mut user), step, by, proofs).await?;
        op.commit().await?;
        self.settled(&case, step, "reviewer");
        let documents = documents::repo::of_cases(&self.pool, &[id]).await?;
        Ok(CaseView::for_reviewers(&case, self.tier_of(&case).ok(), &documents))
    }

    async fn approval(&self, case: &Case) -> Result<(Claims, Proofs), CaseError> {
        let claims = self.claims(case).await?;
        let proofs = self.proofs(case, &claims).await?;
        Ok((claims, proofs))
    }

    /// What no reviewer can approve.
    async fn require_approvable_in_op(
        &self,
        op: &mut Op,
        case: &Case,
        user: &User,
        (claims, proofs): (&Claims, &Proofs),
    ) -> Result<(), CaseError> {
        if !user.is_active() {
            return Err(CaseError::Inactive);
        }
        if !claims.name(user) {
            return Err(CaseError::NamesChanged);
        }
        let held = numbers::find(&mut **op, case.user).await?;
        if let Some(field) = self.contradiction(case.user, proofs, &held)? {
            return Err(CaseError::OtherThanVerified(field));
        }
        if self.is_taken_in_op(op, case, proofs).await? { Err(CaseError::NumberTaken) } else { Ok(()) }
    }

    async fn step_in_op(
        &self,
        op: &mut Op,
        case: &mut Case,
        reviewer: UserId,
        decision: Decision,
        now: DateTime<Utc>,
    ) -> Result<Step, CaseError> {
        let reason = decision.reason();
        if case.status != Status::InReview {
            return Err(NotPossible(case.status, Action::Approve).into());
        }
        match decision {
            Decision::Approve => {
                let tier = self.tier_of(case)?;
                let before = repo::approvers_in_op(op, case).await?;
                if before.contains(&reviewer) {
                    return Err(CaseError::SameReviewer);
                }
                Ok(case.approve_as_reviewer(reason, before.len(), tier.approvals, now)?)
            }
            Decision::Reject(_) => Ok(case.reject(reason, now)?),
            Decision::AskForMore(_, kinds) => {
                let policy = self.policy_of(&case.country)?;
                let tier = self.tier_of(case)?;
                if let Some(kind) = kinds.iter().find(|kind| kind.is_number() || !tier.takes(**kind)) {
                    return Err(CaseError::NotTaken(*kind));
                }
                Ok(case.ask(reason, kinds, policy.cases.answer(), now)?)
            }
        }
    }

    /// The note is encrypted under the key of the person that it is about.
    async fn beside(&self, case: &Case, note: Option<SecretString>) -> Result<Beside, CaseError> {
        let Some(note) = note else { return Ok(Beside::default()) };
        let (id, key) = (ids::new_id(), self.vault.key(case.user).await?);
        let sealed = key.seal(&cases::note_place(case, id), note.expose_secret().as_bytes())?;
        Ok(Beside { name_score: None, note: Some((id, sealed)) })
    }

    async fn another_persons(&self, reviewer: UserId, id: CaseId) -> Result<Case, CaseError> {
        let case = cases::repo::find(&self.pool, id).await?.ok_or(CaseError::NotFound)?;
        if case.user == reviewer { Err(CaseError::OwnCase) } else { Ok(case) }
    }
}
