#!/bin/sh
# Creates the topics of topics.json with the tools of the Kafka image, which has no jq: the file has one topic a line.
# A topic that exists is left as it is. A cluster, and more partitions for what exists, is scripts/create-topics.sh.
#
#   create-topics.sh <topics.json> <bootstrap server>
set -eu
[ $# -eq 2 ] || { echo "usage: create-topics.sh <topics.json> <bootstrap server>" >&2; exit 2; }
tool=${KAFKA_TOPICS:-/opt/kafka/bin/kafka-topics.sh}

sed -n 's/.*"name": *"\([^"]*\)", *"partitions": *\([0-9]*\), *"retentionMs": *\(-\{0,1\}[0-9]*\), *"compression": *"\([a-z0-9]*\)".*/\1 \2 \3 \4/p' "$1" |
    while read -r name partitions retention compression; do
        # The tool must not read the list. 10 MiB is the longest event; its headers come on top.
        "$tool" --bootstrap-server "$2" --create --if-not-exists --topic "$name" \
            --partitions "$partitions" --replication-factor 1 \
            --config "retention.ms=$retention" --config "compression.type=$compression" \
            --config max.message.bytes=10551296 --config unclean.leader.election.enable=false </dev/null
    done
