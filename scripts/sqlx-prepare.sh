#!/usr/bin/env bash
# Writes down what the compiler has to know about the SQL in the code, so that building needs no database: `.sqlx`, committed.
# Run it after a change of a statement or of a migration.
#
#   scripts/sqlx-prepare.sh [--check]
#
#   --check  changes nothing, and fails when what is committed is not what the code and the migrations give
#
# It starts a Postgres of its own in a temporary directory and removes it at the end.
set -euo pipefail
# shellcheck source=lib/packages.sh
. "$(dirname "$0")/lib/packages.sh"
# shellcheck source=lib/session.sh
. "$(dirname "$0")/lib/session.sh"
# shellcheck source=lib/schema.sh
. "$(dirname "$0")/lib/schema.sh"

check=''
for argument in "$@"; do
    case $argument in
    --check) check=yes ;;
    -h | --help)
        print_help
        exit 0
        ;;
    *) misuse "unknown argument \`$argument\`" ;;
    esac
done

data=''
clean_up() {
    [[ -n $data ]] || return 0
    postgres_stop "$data"
    postgres_remove "$data"
    rm -rf "$data"
}
begin_session "$@"
cd "$root"

need_packages "${packages_build[@]}" postgresql openssl
data=$(temporary_data)
postgres_start "$data" fsync=off
schema_apply
schema_check_queries "$data/sqlx"

if [[ -n $check ]]; then
    diff -rq .sqlx "$data/sqlx" || die ".sqlx is not what the code gives; run scripts/sqlx-prepare.sh and commit it"
    say ".sqlx is what the code gives"
else
    # Only now, when every statement has passed.
    rm -rf .sqlx
    cp -r "$data/sqlx" .sqlx
    say "wrote $(find .sqlx -name '*.json' | wc -l) statements to .sqlx"
fi
