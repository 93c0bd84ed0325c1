#!/usr/bin/env bash
# Everything that checks this project, on servers of its own, which are gone at the end.
# The last line is `N passed, N failed`; the status is 0 only when nothing failed.
#
#   scripts/test.sh
#
# WALLET_INSTALL=never forbids installing packages. KEEP=1 keeps the servers' logs and names the place.
set -euo pipefail
# shellcheck source=lib/packages.sh
. "$(dirname "$0")/lib/packages.sh"
# shellcheck source=lib/servers.sh
. "$(dirname "$0")/lib/servers.sh"
# shellcheck source=lib/schema.sh
. "$(dirname "$0")/lib/schema.sh"
# shellcheck source=lib/stages.sh
. "$(dirname "$0")/lib/stages.sh"
# shellcheck source=lib/deny.sh
. "$(dirname "$0")/lib/deny.sh"
# shellcheck source=lib/fuzz.sh
. "$(dirname "$0")/lib/fuzz.sh"

case ${1:-} in
'') ;;
-h | --help)
    print_help
    exit 0
    ;;
*) misuse "unknown argument \`$1\`" ;;
esac

# The end-to-end tests mostly wait for processes, so they run beside the others.
# shellcheck disable=SC2016 # expanded by the inner shell
all_tests='
cargo test --locked --workspace --test e2e >"$1" 2>&1 &
end_to_end=$! status=0
cargo test --locked --workspace --no-fail-fast || status=$?
wait "$end_to_end" || status=$?
cat "$1"
exit "$status"'

data=''
clean_up() {
    [[ -n $data ]] || return 0
    stop_servers "$data"
    postgres_remove "$data"
    if [[ ${KEEP:-} == 1 ]]; then say "kept: $data"; else rm -rf "$data"; fi
    data=''
}
begin_session "$@"
cd "$root"

# Where every checkout is built once, what the next build would reuse is only written, never read.
[[ ${CI:-} != true ]] || export CARGO_INCREMENTAL=0
need_build_space

step "packages"
need_packages "${packages_build[@]}" "${packages_servers[@]}" "${packages_kafka[@]}" "${packages_tests[@]}"
say "all there"

step "servers"
data=$(temporary_data)
forget_environment
# Nothing on these servers outlives the tests, so nothing has to reach the disk.
start_servers "$data" fsync=off synchronous_commit=off full_page_writes=off
export TEST_DATABASE_URL TEST_REDIS_URL="redis://$REDIS_HOST:$REDIS_PORT"
TEST_DATABASE_URL=$(schema_url postgres)
if [[ -n $KAFKA_BROKERS ]]; then export TEST_KAFKA_BROKERS=$KAFKA_BROKERS; else unset TEST_KAFKA_BROKERS; fi
# Tests say themselves what a service runs with.
forget_environment
schema_apply

stage "format" attended cargo fmt --all --check
stage "shell scripts" attended shellcheck scripts/*.sh scripts/lib/*.sh gateway/*.sh .ci/run
stage "lints, and every SQL statement against the schema" schema_check_queries "$data/sqlx" -D warnings
stage "committed statements are current" diff -rq .sqlx "$data/sqlx"
stage "documentation" attended env RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps
deny_stages "$data"
stage "tests compile" attended cargo test -q --locked --workspace --tests --test e2e --no-run
stage_tests "tests" "$data/tests.log" bash -c "$all_tests" - "$data/e2e.log"
fuzz_stage "$data"
for file in prometheus/*.yml; do
    stage "prometheus: $file" attended promtool check config "$file"
done
for file in prometheus/tests/*.yml; do
    stage "alerts: $file" attended promtool test rules "$file"
done

clean_up
stage_summary
((failed == 0))
