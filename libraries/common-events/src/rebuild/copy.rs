//! Empty tables like those of a read model, in a schema of their own, and putting them in the place of the old ones.
//!
//! They get the same columns, constraints, indexes, owner and grants under the same names: constraints are named in statements and
//! in errors. Statements that running services have prepared go on: Postgres looks the names up again when tables have changed.

use anyhow::Context;
use common_db::{Op, PgPool};
use common_utils::ids;
use sqlx::{AssertSqlSafe, Executor};

use crate::projection::Projection;

/// Where the tables of services are.
const HOME: &str = "public";

pub(super) struct Copy<'a> {
    projection: &'a Projection,
    /// No other rebuild has the same, before or after.
    schema: String,
}

impl<'a> Copy<'a> {
    /// Makes the tables. What killed rebuilds of the same read model have left is dropped before, and named.
    pub(super) async fn create(
        pool: &PgPool,
        projection: &'a Projection,
    ) -> anyhow::Result<(Self, Vec<String>)> {
        let schema = format!("rebuild_{}_{}", projection.name, ids::new_id().simple());
        let copy = Self { projection, schema };
        let leftovers = copy.leftovers(pool).await?;
        for leftover in &leftovers {
            drop_schema(pool, leftover).await?;
        }
        let mut op = common_db::begin(pool).await?;
        op.execute(AssertSqlSafe(format!("CREATE SCHEMA {}", copy.schema))).await?;
        for statement in copy.statements_in_op(&mut op).await? {
            op.execute(AssertSqlSafe(statement)).await?;
        }
        op.commit().await?;
        Ok((copy, leftovers))
    }

    pub(super) fn schema(&self) -> &str {
        &self.schema
    }

    async fn leftovers(&self, pool: &PgPool) -> sqlx::Result<Vec<String>> {
        let pattern = format!("^rebuild_{}_[0-9a-f]{{32}}$", self.projection.name);
        sqlx::query_scalar!(
            r#"SELECT nspname::text AS "name!" FROM pg_namespace WHERE nspname ~ $1"#,
            pattern
        )
        .fetch_all(pool)
        .await
    }

    /// What makes the tables.
    async fn statements_in_op(&self, op: &mut Op) -> anyhow::Result<Vec<String>> {
        let tables: Vec<String> = self.projection.tables.iter().map(|table| (*table).to_owned()).collect();
        let found = sqlx::query!(
            r#"SELECT count(*) AS "tables!", count(*) FILTER (WHERE EXISTS (
                   SELECT FROM pg_trigger WHERE tgrelid = pg_class.oid)) AS "with_triggers!"
               FROM pg_class WHERE relnamespace = $2::text::regnamespace AND relname = ANY ($1::text[])"#,
            &tables,
            HOME,
        )
        .fetch_one(&mut **op)
        .await?;
        anyhow::ensure!(
            usize::try_from(found.tables) == Ok(tables.len()),
            "the tables of {} are not all there: migrate first",
            self.projection.name
        );
        anyhow::ensure!(
            found.with_triggers == 0,
            "a table of {} has triggers or foreign keys, which are not copied",
            self.projection.name
        );
        let statements = sqlx::query_scalar!(
            r#"WITH tables AS (
                   SELECT oid, relname, relowner, relacl FROM pg_class
                   WHERE relnamespace = $2::text::regnamespace AND relname = ANY ($1::text[]))
               SELECT statement AS "statement!" FROM (
                   SELECT 1 AS step, relname AS name,
                          format('CREATE TABLE %I.%I (LIKE %I.%I INCLUDING ALL EXCLUDING INDEXES)', $3::text, relname, $2, relname)
                              AS statement
                   FROM tables
                   UNION ALL
                   SELECT 2, conname,
                          format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s', $3, relname, conname, pg_get_constraintdef(c.oid))
                   FROM tables JOIN pg_constraint c ON conrelid = tables.oid WHERE contype IN ('p', 'u', 'x')
                   UNION ALL
                   SELECT 3, i.relname,
                          replace(pg_get_indexdef(indexrelid), format(' ON %I.%I USING ', $2, tables.relname),
                                  format(' ON %I.%I USING ', $3, tables.relname))
                   FROM tables JOIN pg_index ON indrelid = tables.oid JOIN pg_class i ON i.oid = indexrelid
                   WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u', 'x'))
                   UNION ALL
                   SELECT 4, relname,
                          format('GRANT %s ON %I.%I TO %s%s', privilege_type, $3, relname,
                                 CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END,
                                 CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
                   FROM tables CROSS JOIN LATERAL aclexplode(relacl) WHERE grantee <> relowner
                   UNION ALL
                   SELECT 5, relname, format('ALTER TABLE %I.%I OWNER TO %s', $3, relname, relowner::regrole)
                   FROM tables) AS made
               ORDER BY step, name"#,
            &tables,
            HOME,
            self.schema,
        );
        Ok(statements.fetch_all(&mut **op).await?)
    }

    /// From here on this transaction sees these tables and no others.
    pub(super) async fn enter_in_op(&self, op: &mut Op) -> sqlx::Result<()> {
        sqlx::query!(r#"SELECT set_config('search_path', $1, true) AS "set!""#, self.schema)
            .fetch_one(&mut **op)
            .await?;
        Ok(())
    }

    /// So that the first readers find plans for tables that are full.
    pub(super) async fn analyze(&self, pool: &PgPool) -> sqlx::Result<()> {
        let mut op = common_db::begin(pool).await?;
        // It grows with the tables, which the time-out of a service's statements does not.
        op.execute("SET LOCAL statement_timeout = '10min'").await?;
        op.execute(AssertSqlSafe(format!("ANALYZE {}", self.tables_in(&self.schema)))).await?;
        op.commit().await
    }

    /// Waits until nobody reads the old tables, and keeps new readers waiting.
    pub(super) async fn lock_old_in_op(&self, op: &mut Op) -> sqlx::Result<()> {
        let lock = format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", self.tables_in(HOME));
        op.execute(AssertSqlSafe(lock)).await?;
        Ok(())
    }

    /// Drops the old tables, which nobody else has, and puts the new ones in their place.
    pub(super) async fn replace_in_op(&self, op: &mut Op) -> anyhow::Result<()> {
        anyhow::ensure!(
            !self.differs_in_op(op).await?,
            "the tables of {} were changed meanwhile; begin anew",
            self.projection.name
        );
        op.execute(AssertSqlSafe(format!("DROP TABLE {}", self.tables_in(HOME))))
            .await
            .context("the old tables cannot be dropped")?;
        for table in self.projection.tables {
            op.execute(AssertSqlSafe(format!("ALTER TABLE {}.{table} SET SCHEMA {HOME}", self.schema)))
                .await?;
        }
        op.execute(AssertSqlSafe(format!("DROP SCHEMA {}", self.schema))).await?;
        Ok(())
    }

    /// Whether old and new tables differ in columns, constraints or indexes: a migration may have come in between.
    async fn differs_in_op(&self, op: &mut Op) -> sqlx::Result<bool> {
        let tables: Vec<String> = self.projection.tables.iter().map(|table| (*table).to_owned()).collect();
        sqlx::query_scalar!(
            r#"WITH parts AS (
                   SELECT nspname, c.relname, part
                   FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
                   CROSS JOIN LATERAL (
                       SELECT format('%s %s %s', attname, format_type(atttypid, atttypmod), attnotnull)
                       FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
                       UNION ALL
                       SELECT format('%s %s', conname, pg_get_constraintdef(oid)) FROM pg_constraint WHERE conrelid = c.oid
                       UNION ALL
                       SELECT i.relname::text FROM pg_index JOIN pg_class i ON i.oid = indexrelid WHERE indrelid = c.oid
                   ) AS parts (part)
                   WHERE c.relname = ANY ($1::text[]) AND nspname IN ($2::text, $3::text))
               SELECT EXISTS (
                   SELECT FROM parts GROUP BY relname, part HAVING count(*) <> 2) AS "differs!""#,
            &tables,
            HOME,
            self.schema,
        )
        .fetch_one(&mut **op)
        .await
    }

    pub(super) async fn drop(&self, pool: &PgPool) -> sqlx::Result<()> {
        drop_schema(pool, &self.schema).await
    }

    fn tables_in(&self, schema: &str) -> String {
        let tables = self.projection.tables.iter().map(|table| format!("{schema}.{table}"));
        tables.collect::<Vec<_>>().join(", ")
    }
}

async fn drop_schema(pool: &PgPool, schema: &str) -> sqlx::Result<()> {
    pool.execute(AssertSqlSafe(format!("DROP SCHEMA IF EXISTS {schema} CASCADE"))).await?;
    Ok(())
}
