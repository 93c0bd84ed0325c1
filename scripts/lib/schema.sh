# shellcheck shell=bash
# Databases for the compiler: `sqlx::query!` checks each statement against a live schema. The migrations are applied with psql
# and not by the services, because a service with a new statement does not compile before its schema is there.
# shellcheck source=postgres.sh
. "${BASH_SOURCE[0]%/*}/postgres.sh"
# shellcheck source=session.sh
. "${BASH_SOURCE[0]%/*}/session.sh"

# schema_apply: makes the four databases on the server that postgres_start has started, each with the common
# migrations and its own in the order of their time stamps.
schema_apply() {
    local service file files
    for service in identity wallet transaction admin; do
        schema_sql postgres -c "CREATE DATABASE ${service}_db"
        files=$(find "$root/migrations/common" "$root/migrations/$service" -name 'V*.sql' -printf '%f\t%p\n' | sort | cut -f 2)
        for file in $files; do
            schema_sql "${service}_db" -1 -f "$file" || return 1
        done
    done
}
schema_sql() {
    local database=$1
    shift
    PGOPTIONS='-c client_min_messages=warning' PGPASSWORD=$postgres_password psql -X -q -v ON_ERROR_STOP=1 \
        -h 127.0.0.1 -p "$postgres_port" -U "$postgres_user" -d "$database" "$@" >/dev/null
}

# schema_url <database>
schema_url() { say "postgres://$postgres_user:$postgres_password@127.0.0.1:$postgres_port/$1"; }

# schema_check_queries <dir> <lint flags...>: lets clippy expand every macro against those databases; what the macros
# learn is written to the directory, which it empties first. The time stamp makes cargo do it for crates that
# have not changed too.
schema_check_queries() {
    local dir=$1 service variables=()
    shift
    for service in identity wallet transaction admin; do
        variables+=("${service^^}_DATABASE_URL=$(schema_url "${service}_db")")
    done
    rm -rf "$dir"
    mkdir -p "$dir"
    attended env SQLX_OFFLINE=false "SQLX_OFFLINE_DIR=$dir" "${variables[@]}" \
        cargo clippy -q --locked --workspace --all-targets --test e2e -- --cfg "sqlx_run=\"$(date +%s%N)\"" "$@"
}
