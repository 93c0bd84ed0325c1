//! Looks at cases that were submitted. Several instances may: a case is one worker's for the length of a lease.
//!
//! Steps: take what is due → ask the provider about each piece of evidence that nothing was found of yet, and keep what it found → one
//! transaction that locks the person and the case, reads again what is there, and does what the rules say. While the provider does
//! not answer the case is due again after a pause, twice as long each time; a case that waited for too long goes to the reviewers.

use std::time::Duration;

use chrono::TimeDelta;
use common_db::Op;
use common_events::Actor;
use common_utils::{
    correlation, ids,
    work::{self, Backoff},
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;

use super::{
    super::{
        claims::Claims,
        documents::{self, repo::Document},
        evidence::{EvidenceKind, LookedUp},
        provider::{BvnClaim, DocumentClaim, NinClaim, NoFinding},
    },
    Cases, OnFile,
    decision::{self, Standing, Verdict},
    entity::{Case, Reason, Status, Step},
    error::CaseError,
    grant::Proofs,
    metrics,
    repo::{self, Beside, CheckRow},
};
use crate::{
    SERVICE_NAME,
    kyc::numbers,
    users::{self, LockedUser},
};

const POLL: Duration = Duration::from_secs(2);
/// At once.
const MOST: i64 = 4;
/// Longer than the provider is waited for, for all pieces of evidence together.
const LEASE: TimeDelta = TimeDelta::minutes(3);
const BACKOFF: Backoff = Backoff { first: Duration::from_secs(5), longest: Duration::from_hours(1) };
/// About seven hours; then people look.
const MOST_ATTEMPTS: i32 = 16;

/// A piece of evidence, which of them, and its document.
type Piece<'a> = (EvidenceKind, Uuid, Option<&'a Document>);

impl Cases {
    /// Runs until `shutdown`.
    pub(crate) async fn keep_checking(self, shutdown: CancellationToken) {
        work::run(shutdown, &self.wake, POLL, || self.round()).await;
    }

    /// Looks at what is due. True when there was something.
    async fn round(&self) -> bool {
        let now = self.clock.now();
        let taken = match repo::take_due(&self.pool, MOST, now + LEASE, now).await {
            Ok(taken) => taken,
            Err(error) => {
                tracing::warn!(%error, "cannot look for KYC cases to check");
                return false;
            }
        };
        let found = !taken.is_empty();
        let mut tasks = JoinSet::new();
        for case in taken {
            let worker = self.clone();
            let id = ids::new_id().to_string();
            let span = tracing::info_span!("kyc_case", correlation_id = id, case_id = %case.id);
            let work = correlation::scope(id, async move { worker.look_at(&case).await });
            tasks.spawn(work.instrument(span));
        }
        // A task that panicked leaves its case to the end of the lease.
        while tasks.join_next().await.is_some() {}
        found
    }

    async fn look_at(&self, case: &Case) {
        let judged = match self.ask_about(case).await {
            Ok(claims) => self.judge(case, &claims).await,
            Err(error) => Err(error),
        };
        let Err(error) = judged else { return };
        if case.attempts < MOST_ATTEMPTS {
            tracing::warn!(%error, "a KYC case could not be decided; trying again");
            return self.postpone(case).await;
        }
        tracing::error!(%error, "a KYC case cannot be decided by the rules; people do");
        if let Err(error) = self.hand_over(case).await {
            tracing::error!(%error, "a KYC case could not be handed to reviewers; trying again");
            self.postpone(case).await;
        }
    }

    /// To the reviewers, whatever could not be read of it.
    async fn hand_over(&self, case: &Case) -> Result<(), CaseError> {
        let mut op = common_db::begin(&self.pool).await?;
        let Some((mut case, mut user)) = self.lock_submitted_in_op(&mut op, case).await? else {
            return Ok(());
        };
        let step = case.refer(Reason::ProviderUnavailable, self.clock.now())?;
        let by = (Actor::service(SERVICE_NAME), Beside::default());
        self.settle_in_op(&mut op, (&case, &mut user), step, by, None).await?;
        op.commit().await?;
        self.settled(&case, step, "rules");
        Ok(())
    }

    /// The case and its person, locked; None when the case is not this attempt's any more.
    async fn lock_submitted_in_op(
        &self,
        op: &mut Op,
        case: &Case,
    ) -> Result<Option<(Case, LockedUser)>, CaseError> {
        let user =
            users::repo::find_locked_in_op(op, case.user, &self.clock).await?.ok_or(CaseError::NotFound)?;
        let locked = repo::find_locked_in_op(op, case.id).await?.ok_or(CaseError::NotFound)?;
        let ours = locked.status == Status::Submitted && locked.attempts == case.attempts;
        Ok(ours.then_some((locked, user)))
    }

    async fn postpone(&self, case: &Case) {
        let until = self.clock.now() + BACKOFF.after(case.attempts);
        if let Err(error) = repo::postpone(&self.pool, case, until).await {
            tracing::warn!(%error, "cannot note when a KYC case is due; it is when its lease ends");
        }
    }

    /// Asks about what nothing was found of, and keeps what was found.
    async fn ask_about(&self, case: &Case) -> Result<Claims, CaseError> {
        let claims = self.claims(case).await?;
        let documents = documents::repo::of_cases(&self.pool, &[case.id]).await?;
        let checks = repo::checks(&self.pool, case.id).await?;
        let held = numbers::find(&self.pool, case.user).await?;
        let on_file = OnFile::of(&held, self.tier_of(case)?, case.opened_at);
        for piece in pieces(case, &claims, &documents) {
            let (kind, id, _) = piece;
            if on_file.has(kind) || checks.iter().any(|check| (check.kind, check.evidence) == (kind, id)) {
                continue;
            }
            match self.ask(case, piece, &claims).await? {
                Ok(found) => {
                    metrics::checked(kind, Some(found.checked.finding));
                    let (provider, now) = (self.provider.name(), self.clock.now());
                    repo::insert_check(&self.pool, case.id, (kind, id), &found, provider, now).await?;
                }
                Err(error) => {
                    metrics::checked(kind, None);
                    tracing::warn!(%error, kind = kind.name(), "a piece of evidence could not be looked up");
                }
            }
        }
        Ok(claims)
    }

    async fn ask(
        &self,
        case: &Case,
        (kind, _, document): Piece<'_>,
        claims: &Claims,
    ) -> Result<Result<LookedUp, NoFinding>, CaseError> {
        let (first_name, last_name) = (claims.first_name.clone(), claims.last_name.clone());
        let date_of_birth = claims.date_of_birth;
        if let Some(document) = document {
            let content = self.content(case, document).await?;
            let (content_type, address) = (document.content_type, claims.address.clone());
            let claim = DocumentClaim { kind, content_type, content, first_name, last_name, address };
            let report = self.provider.verify_document(&claim).await;
            return Ok(report.map(|report| report.held_against(&claims.whole_name())));
        }
        let report = match (kind, &claims.bvn, &claims.nin) {
            (EvidenceKind::Bvn, Some(bvn), _) => {
                let claim = BvnClaim { bvn: bvn.clone(), date_of_birth, first_name, last_name };
                self.provider.verify_bvn(&claim).await
            }
            (EvidenceKind::Nin, _, Some(nin)) => {
                let claim = NinClaim { nin: nin.clone(), date_of_birth, first_name, last_name };
                self.provider.verify_nin(&claim).await
            }
            _ => return Err(CaseError::Corrupt(format!("there is no {kind} to ask about"))),
        };
        Ok(report.map(|report| report.held_against(&claims.whole_name())))
    }

    /// Does what the rules say, as everything stands now.
    async fn judge(&self, case: &Case, claims: &Claims) -> Result<(), CaseError> {
        let proofs = self.proofs(case, claims).await?;
        let mut op = common_db::begin(&self.pool).await?;
        let Some((mut case, mut user)) = self.lock_submitted_in_op(&mut op, case).await? else {
            return Ok(());
        };
        let documents = documents::repo::of_cases(&mut *op, &[case.id]).await?;
        let checks = repo::checks(&mut *op, case.id).await?;
        let held = numbers::find(&mut *op, case.user).await?;
        let on_file = OnFile::of(&held, self.tier_of(&case)?, case.opened_at);
        let pieces = pieces(&case, claims, &documents);
        let evidence: Vec<_> = standings(&pieces, &checks, on_file);
        let verdict = if !user.is_active() {
            Verdict::Reject(Reason::AccountInactive)
        } else if !claims.name(&user) {
            Verdict::Reject(Reason::NamesChanged)
        } else if self.contradiction(case.user, &proofs, &held)?.is_some() {
            // Another application of theirs was decided first, about somebody else.
            Verdict::Reject(Reason::IdentityMismatch)
        } else {
            self.say_in_op(&mut op, &case, &proofs, &evidence).await?
        };
        let Some(step) = self.apply(&mut case, verdict)? else {
            drop(op);
            self.postpone(&case).await;
            return Ok(());
        };
        let name_score = lowest(&evidence);
        let by = (Actor::service(SERVICE_NAME), Beside { name_score, note: None });
        self.settle_in_op(&mut op, (&case, &mut user), step, by, Some(&proofs)).await?;
        op.commit().await?;
        self.settled(&case, step, "rules");
        Ok(())
    }

    /// What the rules say of what was found, and of numbers that are another person's.
    pub(super) async fn say_in_op(
        &self,
        op: &mut Op,
        case: &Case,
        proofs: &Proofs,
        evidence: &[(EvidenceKind, Standing)],
    ) -> Result<Verdict, CaseError> {
        let names = self.policy_of(&case.country)?.names;
        let said = decision::decide(self.tier_of(case)?, names, evidence);
        // That a number is somebody's is told to nobody whom it does not fit.
        let fits = matches!(said, Verdict::Approve | Verdict::Refer(Reason::ReviewRequired));
        let taken = fits && self.is_taken_in_op(op, case, proofs).await?;
        Ok(if taken { Verdict::Reject(Reason::NumberTaken) } else { said })
    }

    /// None: it waits for the provider.
    pub(super) fn apply(&self, case: &mut Case, verdict: Verdict) -> Result<Option<Step>, CaseError> {
        let now = self.clock.now();
        Ok(Some(match verdict {
            Verdict::Approve => case.approve(now)?,
            Verdict::Refer(reason) => case.refer(reason, now)?,
            Verdict::Reject(reason) => case.reject(reason, now)?,
            Verdict::Ask(reason, kinds) => {
                let patience = self.policy_of(&case.country)?.cases.answer();
                case.ask(reason, kinds, patience, now)?
            }
            Verdict::Wait if case.attempts >= MOST_ATTEMPTS => {
                case.refer(Reason::ProviderUnavailable, now)?
            }
            Verdict::Wait => return Ok(None),
        }))
    }
}

/// What is there: numbers that were told or are on file, and of documents the newest of each kind.
fn pieces<'a>(case: &Case, claims: &Claims, documents: &'a [Document]) -> Vec<Piece<'a>> {
    let told = |kind| match kind {
        EvidenceKind::Bvn => claims.bvn.is_some(),
        EvidenceKind::Nin => claims.nin.is_some(),
        EvidenceKind::AddressDocument | EvidenceKind::Selfie => false,
    };
    let numbers = EvidenceKind::ALL.into_iter().filter(|kind| told(*kind));
    let numbers = numbers.map(|kind| (kind, case.id.uuid(), None));
    let newest = |kind| documents.iter().filter(move |one| one.kind == kind).max_by_key(|one| one.id);
    let documents = EvidenceKind::ALL.into_iter().filter_map(newest);
    numbers.chain(documents.map(|one| (one.kind, one.id, Some(one)))).collect()
}

fn standings(pieces: &[Piece<'_>], checks: &[CheckRow], on_file: OnFile) -> Vec<(EvidenceKind, Standing)> {
    let filed = EvidenceKind::ALL.into_iter().filter(|kind| on_file.has(*kind));
    let looked_up = pieces.iter().filter(|(kind, ..)| !on_file.has(*kind)).map(|(kind, id, _)| {
        let found = checks.iter().find(|check| (check.kind, check.evidence) == (*kind, *id));
        (*kind, found.map_or(Standing::Unchecked, |check| Standing::Checked(check.found.checked)))
    });
    filed.map(|kind| (kind, Standing::OnFile)).chain(looked_up).collect()
}

fn lowest(evidence: &[(EvidenceKind, Standing)]) -> Option<u8> {
    let score = |standing: &Standing| match standing {
        Standing::Checked(checked) => checked.name_score,
        Standing::Unchecked | Standing::OnFile => None,
    };
    evidence.iter().filter_map(|(_, standing)| score(standing)).min()
}
