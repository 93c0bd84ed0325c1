//! All SQL about sessions and their refresh tokens.

use chrono::{DateTime, Utc};
use common_db::{Op, PgPool};
use common_utils::ids::UserId;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::{
    entity::{BoundDevice, EndReason, Open, Proof, Session, SessionId, StoredToken, Which},
    origin::{Device, Origin},
    record::Known,
    token::RefreshToken,
};

/// A session as its owner sees it.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) id: Uuid,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) last_used_at: DateTime<Utc>,
    pub(crate) expires_at: DateTime<Utc>,
    pub(crate) device: Option<String>,
    pub(crate) address: Option<String>,
}

struct Row {
    id: Uuid,
    user_id: Uuid,
    generation: i32,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    methods: Vec<String>,
    proved_at: DateTime<Utc>,
    pin_at: Option<DateTime<Utc>>,
    bound_device: Option<Uuid>,
    bound_device_at: Option<DateTime<Utc>>,
}

impl From<Row> for Session {
    fn from(row: Row) -> Self {
        // A newer release may have methods that mean nothing here.
        let methods = row.methods.iter().filter_map(|method| method.parse().ok());
        Self {
            id: row.id.into(),
            user_id: row.user_id.into(),
            generation: row.generation,
            created_at: row.created_at,
            expires_at: row.expires_at,
            ended_at: row.ended_at,
            proof: Proof::by(methods, row.proved_at),
            pin_at: row.pin_at,
            device: row.bound_device.zip(row.bound_device_at).map(|(id, since)| BoundDevice { id, since }),
        }
    }
}

pub(crate) async fn insert_in_op(
    op: &mut Op,
    session: &Session,
    first: &RefreshToken,
    origin: &Origin,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO sessions (id, user_id, generation, created_at, last_used_at, expires_at, device, address, methods,
                               proved_at, bound_device, bound_device_at)
         VALUES ($1, $2, $3, $4, $4, $5, $6, $7, $8, $9, $10, $11)",
        session.id.uuid(),
        session.user_id.uuid(),
        session.generation,
        session.created_at,
        session.expires_at,
        origin.device.as_ref().map(Device::as_str),
        origin.address.map(|address| address.to_string()),
        &names(&session.proof) as _,
        session.proof.at,
        session.device.map(|device| device.id),
        session.device.map(|device| device.since),
    )
    .execute(&mut **op)
    .await?;
    insert_token_in_op(op, session.id, session.generation, first, session.created_at).await
}

fn names(proof: &Proof) -> Vec<&'static str> {
    proof.methods.iter().map(|method| method.amr()).collect()
}

async fn insert_token_in_op(
    op: &mut Op,
    session: SessionId,
    generation: i32,
    token: &RefreshToken,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO refresh_tokens (token_hash, session_id, generation, created_at) VALUES ($1, $2, $3, $4)",
        &token.hash()[..],
        session.uuid(),
        generation,
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// The session that the token belongs to, locked: two uses of one token follow one another.
pub(crate) async fn find_locked_in_op(op: &mut Op, token: &RefreshToken) -> sqlx::Result<Option<Session>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id, user_id, generation, created_at, expires_at, ended_at, methods,
                  coalesce(proved_at, created_at) AS "proved_at!", pin_at, bound_device, bound_device_at
           FROM sessions WHERE id = (SELECT session_id FROM refresh_tokens WHERE token_hash = $1) FOR UPDATE"#,
        &token.hash()[..],
    )
    .fetch_optional(&mut **op)
    .await?;
    Ok(row.map(Session::from))
}

/// The person's session with this id, locked.
pub(crate) async fn find_own_locked_in_op(
    op: &mut Op,
    user: UserId,
    session: SessionId,
) -> sqlx::Result<Option<Session>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id, user_id, generation, created_at, expires_at, ended_at, methods,
                  coalesce(proved_at, created_at) AS "proved_at!", pin_at, bound_device, bound_device_at
           FROM sessions WHERE id = $1 AND user_id = $2 FOR UPDATE"#,
        session.uuid(),
        user.uuid(),
    )
    .fetch_optional(&mut **op)
    .await?;
    Ok(row.map(Session::from))
}

/// Writes how its owner proved who they are.
pub(crate) async fn update_proof_in_op(op: &mut Op, session: &Session) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE sessions SET methods = $2, proved_at = $3, pin_at = $4 WHERE id = $1",
        session.id.uuid(),
        &names(&session.proof) as _,
        session.proof.at,
        session.pin_at,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// Writes which device it is on.
pub(crate) async fn update_device_in_op(
    op: &mut Op,
    session: SessionId,
    device: BoundDevice,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE sessions SET bound_device = $2, bound_device_at = $3 WHERE id = $1",
        session.uuid(),
        device.id,
        device.since,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// Reads the token. A statement of its own, after the lock: it sees what whoever held the lock has written.
pub(crate) async fn find_token_in_op(op: &mut Op, token: &RefreshToken) -> sqlx::Result<Option<StoredToken>> {
    sqlx::query_as!(
        StoredToken,
        "SELECT generation, replaced_at, sealed_successor FROM refresh_tokens WHERE token_hash = $1",
        &token.hash()[..],
    )
    .fetch_optional(&mut **op)
    .await
}

/// Puts `successor` in force in the place of the session's last token, and forgets the successor before. What the client does not tell
/// of itself stays as it was.
pub(crate) async fn rotate_in_op(
    op: &mut Op,
    session: &Session,
    (successor, sealed): (&RefreshToken, &[u8]),
    origin: &Origin,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    let generation = session.generation.saturating_add(1);
    sqlx::query!(
        "UPDATE sessions
         SET generation = $2, last_used_at = $3, device = coalesce($4, device), address = coalesce($5, address)
         WHERE id = $1",
        session.id.uuid(),
        generation,
        now,
        origin.device.as_ref().map(Device::as_str),
        origin.address.map(|address| address.to_string()),
    )
    .execute(&mut **op)
    .await?;
    sqlx::query!(
        "UPDATE refresh_tokens
         SET sealed_successor = CASE WHEN generation = $2 THEN $3::bytea END,
             replaced_at = CASE WHEN generation = $2 THEN $4 ELSE replaced_at END
         WHERE session_id = $1 AND generation IN ($2, $2 - 1)",
        session.id.uuid(),
        session.generation,
        sealed,
        now,
    )
    .execute(&mut **op)
    .await?;
    insert_token_in_op(op, session.id, generation, successor, now).await
}

/// Up to `limit` of the person's sessions that go on, locked in the order of their ids.
pub(crate) async fn find_open_locked_in_op(
    op: &mut Op,
    user: UserId,
    which: Which,
    limit: i64,
) -> sqlx::Result<Vec<Open>> {
    let (one, other, device) = match which {
        Which::One(id) => (Some(id.uuid()), None, None),
        Which::Others(current) => (None, Some(current.uuid()), None),
        Which::OnDevice(device) => (None, None, Some(device)),
        Which::All => (None, None, None),
    };
    let rows = sqlx::query!(
        "SELECT id, expires_at FROM sessions
         WHERE user_id = $1 AND ended_at IS NULL
           AND ($2::uuid IS NULL OR id = $2) AND ($3::uuid IS NULL OR id <> $3)
           AND ($5::uuid IS NULL OR bound_device = $5)
         ORDER BY id LIMIT $4 FOR UPDATE",
        user.uuid(),
        one,
        other,
        limit,
        device,
    )
    .fetch_all(&mut **op)
    .await?;
    let open =
        rows.into_iter().map(|row| Open { id: row.id.into(), user_id: user, expires_at: row.expires_at });
    Ok(open.collect())
}

/// The person's sessions in force beyond the newest `kept`, oldest first, locked. One that somebody else ends at this moment is none.
pub(crate) async fn find_beyond_locked_in_op(
    op: &mut Op,
    user: UserId,
    kept: i64,
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<Open>> {
    let rows = sqlx::query!(
        "SELECT id, expires_at FROM sessions
         WHERE id IN (SELECT id FROM sessions
                      WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $3
                      ORDER BY id DESC OFFSET $2)
           AND ended_at IS NULL
         ORDER BY id FOR UPDATE SKIP LOCKED",
        user.uuid(),
        kept,
        now,
    )
    .fetch_all(&mut **op)
    .await?;
    let open =
        rows.into_iter().map(|row| Open { id: row.id.into(), user_id: user, expires_at: row.expires_at });
    Ok(open.collect())
}

/// Ends sessions that are locked and go on.
pub(crate) async fn end_in_op(
    op: &mut Op,
    sessions: &[SessionId],
    reason: EndReason,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = sessions.iter().map(|id| id.uuid()).collect();
    sqlx::query!(
        "UPDATE sessions SET ended_at = $2, end_reason = $3 WHERE id = ANY ($1) AND ended_at IS NULL",
        &ids,
        now,
        reason.name(),
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// The person's session of this refresh token.
pub(crate) async fn find_of_token_in_op(
    op: &mut Op,
    user: UserId,
    token: &RefreshToken,
) -> sqlx::Result<Option<SessionId>> {
    let found = sqlx::query_scalar!(
        "SELECT s.id FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id
         WHERE t.token_hash = $1 AND s.user_id = $2",
        &token.hash()[..],
        user.uuid(),
    )
    .fetch_optional(&mut **op)
    .await?;
    Ok(found.map(SessionId::from))
}

/// Whether it is, or was, one of the person's.
pub(crate) async fn is_of(db: impl PgExecutor<'_>, user: UserId, session: SessionId) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM sessions WHERE id = $1 AND user_id = $2) AS "exists!""#,
        session.uuid(),
        user.uuid(),
    )
    .fetch_one(db)
    .await
}

/// The person's sessions that go on, newest first; ids grow with time.
pub(crate) async fn list(
    pool: &PgPool,
    user: UserId,
    before: Option<Uuid>,
    rows: i64,
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<Listed>> {
    sqlx::query_as!(
        Listed,
        "SELECT id, created_at, last_used_at, expires_at, device, address FROM sessions
         WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2 AND ($3::uuid IS NULL OR id < $3)
         ORDER BY id DESC LIMIT $4",
        user.uuid(),
        now,
        before,
        rows,
    )
    .fetch_all(pool)
    .await
}

/// What tells whether a token of the session still holds.
pub(crate) async fn known(pool: &PgPool, session: Uuid, user: UserId) -> sqlx::Result<Option<Known>> {
    sqlx::query_as!(
        Known,
        r#"SELECT s.ended_at IS NOT NULL AS "ended!", u.roles, u.kyc_tier, u.status, u.factors
           FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = $1 AND s.user_id = $2"#,
        session,
        user.uuid(),
    )
    .fetch_optional(pool)
    .await
}

/// Forgets up to `limit` sessions that expired before `before`, with their tokens.
pub(crate) async fn purge(pool: &PgPool, before: DateTime<Utc>, limit: i64) -> sqlx::Result<u64> {
    let gone = sqlx::query!(
        "DELETE FROM sessions WHERE id IN (
             SELECT id FROM sessions WHERE expires_at < $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
         )",
        before,
        limit,
    )
    .execute(pool)
    .await?;
    Ok(gone.rows_affected())
}
