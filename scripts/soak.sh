#!/usr/bin/env bash
# Kills services and the database of a busy platform at random, and checks after each round that nothing was lost, done
# twice or left half done. Status 0 when all was well; else the seed is shown with what was wrong.
#
#   scripts/soak.sh [rounds] [seed]
#
#   rounds  of ten kills each, about half a minute (default: 20)
#   seed    repeats the choices of an earlier run; its moments are the machine's (default: a new one)
#
# The servers are its own and gone at the end. WALLET_INSTALL=never forbids installing packages.
set -euo pipefail
# shellcheck source=lib/packages.sh
. "$(dirname "$0")/lib/packages.sh"
# shellcheck source=lib/servers.sh
. "$(dirname "$0")/lib/servers.sh"
# shellcheck source=lib/schema.sh
. "$(dirname "$0")/lib/schema.sh"

case ${1:-} in
-h | --help)
    print_help
    exit 0
    ;;
esac
(($# <= 2)) || misuse "too many arguments"
rounds=${1:-20} seed=${2:-$((RANDOM * 32768 + RANDOM))}
[[ $rounds =~ ^[1-9][0-9]*$ ]] || misuse "rounds has to be a number, not \`$rounds\`"
[[ $seed =~ ^[0-9]+$ ]] || misuse "the seed has to be a number, not \`$seed\`"
[[ ${WALLET_PROFILE:-dev} == dev ]] || die "a release build has no crash points"

data=''
clean_up() {
    [[ -n $data ]] || return 0
    stop_servers "$data"
    postgres_remove "$data"
    rm -rf "$data"
    data=''
}
begin_session "$@"
cd "$root"
need_build_space

step "packages"
need_packages "${packages_build[@]}" "${packages_servers[@]}" "${packages_kafka[@]}"
say "all there"

step "servers"
data=$(temporary_data)
forget_environment
# The Postgres that is crashed is another one, which the test starts itself.
start_servers "$data" fsync=off
[[ -n $KAFKA_BROKERS ]] || die "without Kafka the services cannot run beside each other"
TEST_DATABASE_URL=$(schema_url postgres)
export TEST_DATABASE_URL TEST_REDIS_URL="redis://$REDIS_HOST:$REDIS_PORT" TEST_KAFKA_BROKERS=$KAFKA_BROKERS
forget_environment

step "build"
attended cargo build --locked --bins -p standalone -p provider-twin \
    -p identity-service -p wallet-service -p transaction-service -p admin-service

step "$rounds rounds with seed $seed"
attended env "CRASH_ROUNDS=$rounds" "CRASH_SEED=$seed" cargo test -q --locked -p standalone --test e2e -- \
    --test-threads=1 --nocapture crash::kills_at_random
