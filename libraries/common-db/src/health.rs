//! Whether the database answers.

use async_trait::async_trait;
use common_utils::http::health::Check;
use sqlx::PgPool;

#[derive(Debug)]
pub struct DatabaseCheck(pub PgPool);

#[async_trait]
impl Check for DatabaseCheck {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn required(&self) -> bool {
        true
    }

    async fn check(&self) -> Result<(), String> {
        let mut connection = self.0.acquire().await.map_err(|_| "no connection".to_owned())?;
        sqlx::Connection::ping(&mut *connection).await.map_err(|_| "does not answer".to_owned())
    }
}
