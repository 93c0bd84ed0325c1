#!/usr/bin/env bash
# Creates the topics that libraries/common-events/topics.json declares.
#
#   scripts/create-topics.sh [--bootstrap HOST:PORT,...] [--command-config FILE]
#
#   --bootstrap       the brokers (default: KAFKA_BROKERS)
#   --command-config  properties for the connection, where the brokers ask for TLS or a password
#
# A topic that exists is left as it is; missing partitions are added. Fewer partitions than there are cannot be had
# without losing events, and are refused. A cluster of three brokers or more keeps three copies of
# everything, of which two must be in sync; a smaller one keeps one.
set -euo pipefail
# shellcheck source=lib/kafka.sh
. "$(dirname "$0")/lib/kafka.sh"

bootstrap=${KAFKA_BROKERS:-} config=()
while (($# > 0)); do
    case $1 in
    --bootstrap | --command-config)
        (($# > 1)) || misuse "$1 needs a value"
        if [[ $1 == --bootstrap ]]; then bootstrap=$2; else config=(--command-config "$2"); fi
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
[[ -n $bootstrap ]] || misuse "name the brokers by --bootstrap or KAFKA_BROKERS"
have jq || die "jq is missing: apt-get install jq"
kafka_possible || die "the Kafka tools need Java 17 or later, and Maven to fetch them: apt-get install default-jre-headless maven"
kafka_fetch

topics() {
    kafka_tool org.apache.kafka.tools.TopicCommand --bootstrap-server "$bootstrap" "${config[@]}" "$@"
}

# Copies and in-sync copies that this cluster can keep; asked only when there is something to create.
choose_copies() {
    local brokers
    brokers=$(kafka_tool org.apache.kafka.tools.ClusterTool list-endpoints --bootstrap-server "$bootstrap" "${config[@]}" |
        awk 'NR > 1 && $1 ~ /^[0-9]+$/ { ids[$1] } END { print length(ids) }')
    ((brokers > 0)) || die "could not count the brokers of $bootstrap"
    copies=$((brokers >= 3 ? 3 : 1)) in_sync=$((brokers >= 3 ? 2 : 1))
}

# Room for an event of 10 MiB and its headers, as common-events and docker/create-topics.sh have it.
message_bytes=10551296

create_topic() {
    local name=$1 partitions=$2 retention=$3 compression=$4
    topics --create --if-not-exists --topic "$name" --partitions "$partitions" --replication-factor "$copies" \
        --config "retention.ms=$retention" --config "compression.type=$compression" \
        --config "max.message.bytes=$message_bytes" --config "min.insync.replicas=$in_sync" \
        --config unclean.leader.election.enable=false >/dev/null
    say "$name: created, $partitions partitions, $copies copies"
}

# Without internal topics: `<name> <partitions>` a line.
existing=$(topics --describe --exclude-internal |
    awk '/^Topic: / { for (i = 1; i < NF; i++) if ($i == "PartitionCount:") print $2, $(i + 1) }') ||
    die "the brokers $bootstrap do not answer"

copies='' refused=0 waiting=()
while read -r name partitions retention compression; do
    there=$(awk -v name="$name" '$1 == name { print $2 }' <<<"$existing")
    if [[ -z $there ]]; then
        [[ -n $copies ]] || choose_copies
        create_topic "$name" "$partitions" "$retention" "$compression" &
        waiting+=($!)
        # Each is a Java of its own; a few at a time.
        if ((${#waiting[@]} % 4 == 0)); then wait "${waiting[@]: -4:1}" || true; fi
    elif ((there < partitions)); then
        topics --alter --topic "$name" --partitions "$partitions"
        say "$name: $there partitions, now $partitions"
    elif ((there > partitions)); then
        warn "$name: has $there partitions; refusing to go back to $partitions"
        refused=1
    else
        say "$name: there, $there partitions"
    fi
done < <(jq -r '.[] | "\(.name) \(.partitions) \(.retentionMs) \(.compression)"' "$root/libraries/common-events/topics.json")
for job in "${waiting[@]}"; do wait "$job" || refused=1; done
exit "$refused"
