#!/usr/bin/env bash
# Runs the whole platform on this machine, from a clean clone to served addresses.
#
#   scripts/run.sh [--once | --no-demo]
#
#   (nothing)   plays the main job, shows each step, then serves until Ctrl-C
#   --once      ends after the main job: status 0 when all of it went well, else 1
#   --no-demo   only serves
#
# Order: packages, build, own Postgres, Redis and Kafka (data in .data/, free loopback ports), migrations, topics,
# platform, staff for the demonstration, main job. Ctrl-C stops everything that was started here.
# DB_HOST, REDIS_HOST or KAFKA_BROKERS name servers to use instead of own ones. EVENT_BROKER=embedded does without Kafka.
# `source .data/env` gives a second terminal the environment of the services. WALLET_PROFILE=release runs a release
# build; WALLET_INSTALL=never forbids installing packages.
set -euo pipefail
# shellcheck source=lib/packages.sh
. "$(dirname "$0")/lib/packages.sh"
# shellcheck source=lib/platform.sh
. "$(dirname "$0")/lib/platform.sh"

once='' demo=yes
for argument in "$@"; do
    case $argument in
    --once) once=yes ;;
    --no-demo) demo='' ;;
    -h | --help)
        print_help
        exit 0
        ;;
    *) misuse "unknown argument \`$argument\`" ;;
    esac
done
[[ -z $once || -n $demo ]] || misuse "--once plays the main job and --no-demo does not; choose one"

data="$root/.data"
clean_up() {
    # Until the data directory is ours, what runs there is somebody else's.
    [[ -n $data_locked ]] || return 0
    say ""
    say "stopping"
    platform_stop "$data"
    stop_servers "$data"
}
begin_session "$@"
cd "$root"

lock_data "$data"

step "packages"
need_packages "${packages_build[@]}" "${packages_servers[@]}" "${packages_kafka[@]}"
say "all there"

step "build ($profile; the first one takes minutes)"
platform_build

step "servers"
platform_stop "$data" # what a killed run may have left
start_servers "$data"
platform_ports_free

step "migrations"
attended "$root/scripts/migrate-all.sh"

if [[ -n $KAFKA_BROKERS ]]; then
    step "topics"
    attended "$root/scripts/create-topics.sh"
fi

step "platform"
platform_start "$data"
say "all services are ready; the log is ${data#"$root"/}/logs/standalone.log"

status=0
if [[ -n $demo ]]; then
    step "the main job"
    platform_staff "$data"
    platform_demo || status=1
    ((status == 0)) || warn "the main job did not go through"
fi
[[ -z $once ]] || exit "$status"

step "addresses"
platform_addresses "$data"
say "Stop everything with Ctrl-C."

# Asked to stop, it has done its work.
# shellcheck disable=SC2034 # read when a signal comes
stop_status=$status
platform_watch "$data"
