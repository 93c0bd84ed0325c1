#!/usr/bin/env bash
# Measures the platform beside its yardsticks, on a Postgres of its own that keeps what it commits, and verifies the
# books after every load.
#
#   scripts/bench.sh ledger|transfers|reads|events|scale|auth [--quick] [--only PART] [--seconds N]
#
#   ledger       the posting engine in one process, beside one database transaction a posting
#   transfers    transfers over HTTP through the gateway, with the platform in one process and in several
#   reads        what customers read, on a ledger with a past
#   events       events from an outbox to their effect, beside a producer and a consumer that do nothing else
#   scale        the same postings and reads on ledgers of growing size; monthly partitions beside one table
#   auth         checking tokens, and logging in beside bare argon2
#   --quick      short loads on small data, to see that everything works; printed and not kept
#   --only PART  only loads whose name has PART in it; printed and not kept
#   --seconds N  each load of transfers for so long, to see whether memory grows; printed and not kept
#
# ledger and transfers measure pgbench (TPC-B) in the same run. Each command replaces its section of docs/benchmarks.md. The cluster is kept
# in ~/.cache/wallet-platform/bench, so that pgbench's tables are filled once.
set -euo pipefail
# Numbers of a build for debugging say nothing.
export WALLET_PROFILE=release
# Customers stay signed in for as long as a run takes.
export JWT_EXPIRES_IN=3h
# shellcheck source=lib/common.sh
. "$(dirname "$0")/lib/common.sh"
# shellcheck source=lib/packages.sh
. "$(dirname "$0")/lib/packages.sh"
# shellcheck source=lib/platform.sh
. "$(dirname "$0")/lib/platform.sh"
# shellcheck source=lib/bench.sh
. "$(dirname "$0")/lib/bench.sh"

command='' arguments=()
while (($# > 0)); do
    case $1 in
    ledger | transfers | reads | events | scale | auth)
        [[ -z $command ]] || misuse "one command at a time: \`$command\` or \`$1\`"
        command=$1
        ;;
    --quick) arguments+=("$1") ;;
    --only | --seconds)
        (($# > 1)) || misuse "$1 needs a value"
        arguments+=("$1" "$2")
        shift
        ;;
    -h | --help)
        print_help
        exit 0
        ;;
    *) misuse "unknown argument \`$1\`" ;;
    esac
    shift
done
[[ -n $command ]] || misuse "say what to measure"

data="$cache/bench"
clean_up() {
    [[ -n $data_locked ]] || return 0
    stop_servers "$data"
    rm -rf "$data/kafka-1"
}
begin_session "$command" "${arguments[@]}"
cd "$root"
lock_data "$data"
need_build_space
[[ $command != scale ]] || bench_space "$data" 25

step "packages"
if [[ $command == transfers || $command == events ]]; then
    need_packages "${packages_build[@]}" "${packages_servers[@]}" "${packages_kafka[@]}"
else
    need_packages "${packages_build[@]}" postgresql openssl
fi
say "all there"

step "build (release; the first one takes minutes)"
attended cargo build --locked --release -p bench
if [[ $command == transfers ]]; then
    platform_build
    attended cargo build --locked --release --bins -p gateway
fi

step "servers"
forget_environment
if [[ $command == transfers || $command == events ]]; then bench_servers "$data"; else bench_postgres "$data"; fi
PGBENCH=$(postgres_bin)/pgbench
export PGBENCH
say "Postgres has ${bench_settings[*]}"

step "$command"
attended "$binaries/bench" "$command" "${arguments[@]}"
