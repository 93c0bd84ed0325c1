#!/usr/bin/env bash
# Starts, stops or shows a Kafka for development: one broker, or a cluster of three. It is another one than
# run.sh starts; run.sh uses it when the line that is printed here is in its environment.
#
#   scripts/kafka.sh [1|3] start|stop|status [--data DIR] [--port PORT] [--secure]
#
#   --data DIR   where its data lives (default: .data/broker of the checkout)
#   --port PORT  the port of the first broker (default: a free one, the same after every start)
#   --secure     a new cluster asks for TLS and a login (SASL_SSL, SCRAM-SHA-512), and stays so
#
# `start` returns when all brokers are members of the cluster, prints what services need to reach them, and leaves them
# running. It needs Java 17 or later, and on the first start Maven, which fetches the jars.
set -euo pipefail
# shellcheck source=lib/kafka.sh
. "$(dirname "$0")/lib/kafka.sh"

# What is started here outlives this script, also when another script has called it.
unset SPAWN_TIED

brokers=1 action='' data="$root/.data/broker" port='' secure=''
while (($# > 0)); do
    case $1 in
    1 | 3) brokers=$1 ;;
    start | stop | status) action=$1 ;;
    --secure) secure=1 ;;
    --data | --port)
        (($# > 1)) || misuse "$1 needs a value"
        if [[ $1 == --data ]]; then data=$(mkdir -p "$2" && cd "$2" && pwd -P); else port=$2; fi
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
[[ $port =~ ^[0-9]*$ ]] || misuse "the port has to be a number, not \`$port\`"

# What a service's environment has to say.
print_settings() {
    local tls="$data/kafka-$brokers/tls"
    say "KAFKA_BROKERS=$(kafka_bootstrap "$data" "$brokers")"
    [[ -s $tls/broker.pem ]] || return 0
    say "KAFKA_SECURITY_PROTOCOL=sasl_ssl"
    say "KAFKA_SSL_CA=$tls/ca.pem"
    say "KAFKA_SASL_USERNAME=wallet"
    say "KAFKA_SASL_PASSWORD=$(<"$tls/password")"
}

case $action in
start)
    kafka_possible || die "Kafka needs Java 17 or later, and Maven to fetch its jars: apt-get install default-jre-headless maven"
    if [[ -n $port ]]; then
        if (($(kafka_running "$data" "$brokers") == 0)); then
            port_is_free "$port" || die "port $port is taken"
        fi
        mkdir -p "$data/kafka-$brokers/ports"
        echo "$port" >"$data/kafka-$brokers/ports/broker-1"
    fi
    if [[ -n $secure && ! -s $data/kafka-$brokers/tls/broker.pem ]]; then
        [[ ! -s $data/kafka-$brokers/cluster-id ]] || die "the cluster is there and asks for no login; choose another --data"
        mkdir -p "$data/kafka-$brokers"
        kafka_secure "$data/kafka-$brokers" || die "could not make the certificates"
    fi
    kafka_start "$data" "$brokers"
    print_settings
    ;;
stop)
    kafka_stop "$data" "$brokers"
    say "stopped"
    ;;
status)
    running=$(kafka_running "$data" "$brokers")
    say "$running of $brokers brokers running"
    ((running == brokers)) || exit 1
    print_settings
    ;;
esac
