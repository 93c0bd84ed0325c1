# shellcheck shell=bash
# A real Kafka out of jars from Maven Central: one broker, or a cluster of three, each broker and controller in one (KRaft).
# Layout under the data directory, n = 1 or 3: `kafka-n/` holds ports, one properties file and one log directory
# a broker, and the cluster id; `run/kafka-n-<node>.pid` the processes; `logs/kafka-n-<node>.log` what they say.
# A cluster of one and a cluster of three have data of their own. With `kafka-n/tls/` there, the brokers ask for TLS and a
# login (SASL_SSL, SCRAM-SHA-512), and `kafka-n/client.properties` is how Kafka's own tools get in.
# shellcheck source=common.sh
. "${BASH_SOURCE[0]%/*}/common.sh"
# shellcheck source=process.sh
. "${BASH_SOURCE[0]%/*}/process.sh"
# shellcheck source=ports.sh
. "${BASH_SOURCE[0]%/*}/ports.sh"

kafka_pom="$root/scripts/kafka/pom.xml"
kafka_version=$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' "$kafka_pom")
kafka_jars="$cache/kafka-$kafka_version/libs"

# A Java that Kafka runs on, and the jars or the means to fetch them.
kafka_possible() {
    local version
    have java || return 1
    version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
    [[ -n $version ]] && ((version >= 17)) && { [[ -d $kafka_jars ]] || have mvn; }
}

# Fetches the jars once. They appear under their final name only when all are there.
kafka_fetch() {
    [[ ! -d $kafka_jars ]] || return 0
    mkdir -p "$(dirname "$kafka_jars")"
    (
        flock 7
        [[ ! -d $kafka_jars ]] || exit 0
        say "fetching Kafka $kafka_version from Maven Central (54 MB, once)"
        rm -rf "$kafka_jars.new" "$kafka_jars.repository"
        mvn -q -B -C -Dstyle.color=never -f "$kafka_pom" "-Dmaven.repo.local=$kafka_jars.repository" \
            org.apache.maven.plugins:maven-dependency-plugin:2.8:copy-dependencies \
            "-DoutputDirectory=$kafka_jars.new" >&2 || exit 1
        rm -rf "$kafka_jars.repository"
        mv "$kafka_jars.new" "$kafka_jars"
    ) 7>"$(dirname "$kafka_jars")/lock"
}

# kafka_tool <class> <arguments...>
kafka_tool() {
    java -Xms32m -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
        "-Dlog4j2.configurationFile=$root/scripts/kafka/log4j2.properties" -cp "$kafka_jars/*" "$@"
}

# kafka_bootstrap <data> <n>: the addresses of the brokers, as clients want them.
kafka_bootstrap() {
    local node list=
    for ((node = 1; node <= $2; node++)); do
        list+=",127.0.0.1:$(<"$1/kafka-$2/ports/broker-$node")"
    done
    say "${list#,}"
}

# kafka_running <data> <n>: how many of the brokers run.
kafka_running() {
    local node count=0
    for ((node = 1; node <= $2; node++)); do
        ! is_running "$1/run/kafka-$2-$node.pid" || count=$((count + 1))
    done
    say "$count"
}

# kafka_secure <dir>: a certificate authority and a certificate for 127.0.0.1, and the password of the user `wallet`.
kafka_secure() {
    local tls="$1/tls" password
    [[ ! -s $tls/broker.pem ]] || return 0
    mkdir -p "$tls"
    (
        cd "$tls" || exit 1
        umask 077
        openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=wallet-platform-development-ca \
            -keyout ca.key -out ca.pem 2>/dev/null &&
            openssl req -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -keyout broker.key -out broker.csr 2>/dev/null &&
            openssl x509 -req -in broker.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -out broker.crt \
                -extfile <(printf 'subjectAltName=IP:127.0.0.1') 2>/dev/null &&
            cat broker.key broker.crt ca.pem >broker.pem
    ) || return 1
    password=$(secret "$tls/password")
    (umask 077 && cat >"$1/client.properties") <<PROPERTIES
security.protocol=SASL_SSL
sasl.mechanism=SCRAM-SHA-512
sasl.jaas.config=$(kafka_login "$password")
ssl.truststore.type=PEM
ssl.truststore.location=$tls/ca.pem
PROPERTIES
}
kafka_login() {
    printf 'org.apache.kafka.common.security.scram.ScramLoginModule required username="wallet" password="%s";' "$1"
}

# kafka_configure <dir> <n>: keeps or chooses ports and writes a properties file for each broker.
kafka_configure() {
    local dir=$1 n=$2 node voters='' min_isr=$(($2 == 3 ? 2 : 1)) broker_ports=() controller_ports=() protocol=PLAINTEXT
    [[ ! -s $dir/tls/broker.pem ]] || protocol=SASL_SSL
    for ((node = 1; node <= n; node++)); do
        broker_ports[node]=$(keep_port "$dir/ports/broker-$node")
        controller_ports[node]=$(keep_port "$dir/ports/controller-$node")
        voters+=",$node@127.0.0.1:${controller_ports[node]}"
    done
    for ((node = 1; node <= n; node++)); do
        # A login may be in it.
        (umask 077 && cat >"$dir/broker-$node.properties") <<PROPERTIES
process.roles=broker,controller
node.id=$node
controller.quorum.voters=${voters#,}
listeners=$protocol://127.0.0.1:${broker_ports[node]},CONTROLLER://127.0.0.1:${controller_ports[node]}
advertised.listeners=$protocol://127.0.0.1:${broker_ports[node]}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=$protocol
log.dirs=$dir/broker-$node
auto.create.topics.enable=false
default.replication.factor=$n
min.insync.replicas=$min_isr
unclean.leader.election.enable=false
offsets.topic.replication.factor=$n
transaction.state.log.replication.factor=$n
transaction.state.log.min.isr=$min_isr
share.coordinator.state.topic.replication.factor=$n
share.coordinator.state.topic.min.isr=$min_isr
group.initial.rebalance.delay.ms=0
message.max.bytes=10485760
replica.fetch.max.bytes=10485760
log.retention.ms=-1
log.cleaner.dedupe.buffer.size=4194304
PROPERTIES
        [[ $protocol == PLAINTEXT ]] || cat >>"$dir/broker-$node.properties" <<PROPERTIES
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=$(kafka_login "$(<"$dir/tls/password")")
ssl.keystore.type=PEM
ssl.keystore.location=$dir/tls/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location=$dir/tls/ca.pem
PROPERTIES
    done
}

# kafka_start <data> <n>: starts the brokers that do not run, and returns when all are members of the cluster.
kafka_start() {
    local data=$1 n=$2 node running
    running=$(kafka_running "$data" "$n")
    if ((running == n)); then return 0; fi
    kafka_fetch || return 1
    # The ports of a cluster of which some brokers run stay as they are.
    if ((running == 0)); then
        mkdir -p "$data/kafka-$n"
        kafka_configure "$data/kafka-$n" "$n" || return 1
        kafka_format "$data/kafka-$n" "$n" || return 1
    fi
    for ((node = 1; node <= n; node++)); do
        is_running "$data/run/kafka-$n-$node.pid" || kafka_spawn "$data" "$n" "$node"
    done
    kafka_wait "$data" "$n"
}

# kafka_format <dir> <n>: prepares the log directories of brokers that have none.
kafka_format() {
    local dir=$1 n=$2 node users=()
    [[ ! -s $dir/tls/broker.pem ]] || users=(--add-scram "SCRAM-SHA-512=[name=wallet,password=$(<"$dir/tls/password")]")
    # Sixteen random bytes in base64url; the tools refuse an id that begins with a dash.
    [[ -s "$dir/cluster-id" ]] ||
        printf 'w%s\n' "$(openssl rand -base64 16 | tr '+/' '-_' | cut -c 2-21)A" >"$dir/cluster-id"
    for ((node = 1; node <= n; node++)); do
        [[ ! -s "$dir/broker-$node/meta.properties" ]] || continue
        kafka_tool kafka.tools.StorageTool format -t "$(<"$dir/cluster-id")" -c "$dir/broker-$node.properties" \
            --ignore-formatted "${users[@]}" >"$dir/format.log" 2>&1 || {
            cat "$dir/format.log" >&2
            return 1
        }
    done
}

# kafka_spawn <data> <n> <node>: one broker's process; also how a killed one is brought back.
kafka_spawn() {
    spawn "$1/run/kafka-$2-$3.pid" "$1/logs/kafka-$2-$3.log" \
        java -Xms64m -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
        "-Dlog4j2.configurationFile=$root/scripts/kafka/log4j2.properties" \
        -cp "$kafka_jars/*" kafka.Kafka "$1/kafka-$2/broker-$3.properties"
}

# Each broker says when it has joined; then the cluster itself is asked, which is what counts.
kafka_wait() {
    local data=$1 n=$2 node log
    for ((node = 1; node <= n; node++)); do
        log="$data/logs/kafka-$n-$node.log"
        wait_ready "$data/run/kafka-$n-$node.pid" "$log" 60 "Kafka broker $node" grep -q 'Kafka Server started' "$log" || return 1
    done
    wait_until 30 kafka_has_brokers "$data" "$n" || {
        warn "the Kafka cluster has fewer than $n brokers after 30 s"
        return 1
    }
}
kafka_has_brokers() {
    local client="$1/kafka-$2/client.properties" config=()
    [[ ! -s $client ]] || config=(--command-config "$client")
    (($(kafka_tool org.apache.kafka.tools.ClusterTool list-endpoints "${config[@]}" \
        --bootstrap-server "$(kafka_bootstrap "$1" "$2")" 2>/dev/null | grep -c '127\.0\.0\.1') >= $2))
}

# kafka_stop <data> <n>: all are asked at once. A broker that waits for a quorum which is already gone is not waited for long:
# what it acknowledged is on disk.
kafka_stop() {
    local node pid
    for ((node = 1; node <= $2; node++)); do
        if is_running "$1/run/kafka-$2-$node.pid"; then
            read -r pid _ <"$1/run/kafka-$2-$node.pid"
            kill -s TERM "$pid" 2>/dev/null || true
        fi
    done
    for ((node = 1; node <= $2; node++)); do
        stop_process "$1/run/kafka-$2-$node.pid" TERM 10
    done
}
