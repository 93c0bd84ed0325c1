#!/usr/bin/env bash
# Starts, stops or shows a schema registry for development. The platform works without one; with the line that is printed
# here in its environment, services register the schemas of their events when they start.
#
#   scripts/registry.sh start|stop|status [--data DIR]
#
#   --data DIR   where its port is kept (default: .data/registry of the checkout); schemas it keeps in memory
#
# It needs Java 17 or later, and on the first start Maven, which fetches it.
set -euo pipefail
# shellcheck source=lib/registry.sh
. "$(dirname "$0")/lib/registry.sh"

# What is started here outlives this script, also when another script has called it.
unset SPAWN_TIED

# shellcheck disable=SC2154 # set by lib/common.sh, which the part sources
action='' data="$root/.data/registry"
while (($# > 0)); do
    case $1 in
    start | stop | status) action=$1 ;;
    --data)
        (($# > 1)) || misuse "$1 needs a value"
        data=$(mkdir -p "$2" && cd "$2" && pwd -P)
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
[[ -n $action ]] || misuse "say start, stop or status"

case $action in
start)
    registry_start "$data"
    say "SCHEMA_REGISTRY_URL=$(registry_url "$data")"
    ;;
stop)
    registry_stop "$data"
    say "stopped"
    ;;
status)
    is_running "$data/run/registry.pid" || die "it does not run"
    say "SCHEMA_REGISTRY_URL=$(registry_url "$data")"
    ;;
esac
