#!/usr/bin/env bash
# Brings the topics of a Kafka cluster up to what libraries/common-events/topics.json declares.
#
#   scripts/create-topics.sh [--diff | --add-partitions] [--bootstrap HOST:PORT,...]
#
#   --diff       only show what would be done: + made, ~ changed, ! refused; exit status 1 when there is something
#   --add-partitions  gives topics the partitions that they lack. Keys move then: see docs/operations.md
#   --bootstrap  the brokers (default: KAFKA_BROKERS)
#
# What is missing is created, settings grow to what is declared. Nothing is made less: fewer partitions, a
# shorter retention, fewer copies would lose something, so they are refused, and the exit status is 1. A cluster of three
# brokers or more keeps three copies of everything, of which two must be in sync; one broker keeps one. Where some brokers of a
# cluster are away nothing is done. The connection is that of
# the services: KAFKA_PREFIX counts here too. It is `admin-service topics`, which deployments run directly.
set -euo pipefail
# shellcheck source=lib/common.sh
. "$(dirname "$0")/lib/common.sh"

action=apply flags=()
while (($# > 0)); do
    case $1 in
    --diff) action="diff" ;;
    --add-partitions) flags=("$1") ;;
    --bootstrap)
        (($# > 1)) || misuse "$1 needs a value"
        export KAFKA_BROKERS=$2
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
[[ -n ${KAFKA_BROKERS:-} ]] || misuse "name the brokers by --bootstrap or KAFKA_BROKERS"
build_binaries admin-service
exec "$binaries/admin-service" topics "$action" "${flags[@]}"
