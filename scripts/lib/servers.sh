# shellcheck shell=bash
# Postgres, Redis and Kafka of our own, together, and the environment that the services run with.
# A data directory belongs to one script at a time (a lock). What a killed run left running is stopped before the start;
# what the caller's DB_HOST, REDIS_HOST or KAFKA_BROKERS names is used and never touched.
# shellcheck source=common.sh
. "${BASH_SOURCE[0]%/*}/common.sh"
# shellcheck source=postgres.sh
. "${BASH_SOURCE[0]%/*}/postgres.sh"
# shellcheck source=redis.sh
. "${BASH_SOURCE[0]%/*}/redis.sh"
# shellcheck source=kafka.sh
. "${BASH_SOURCE[0]%/*}/kafka.sh"

# What the services' environment consists of, in the order in which it is written.
environment=(
    DB_HOST DB_PORT DB_USER DB_PASSWORD DB_SSL_MODE DB_SSL_ROOT_CERT REDIS_HOST REDIS_PORT REDIS_PASSWORD
    KAFKA_BROKERS KAFKA_PREFIX KAFKA_SECURITY_PROTOCOL KAFKA_SSL_CA KAFKA_SASL_MECHANISM KAFKA_SASL_USERNAME KAFKA_SASL_PASSWORD
    EVENT_BROKER SCHEMA_REGISTRY_URL SCHEMA_REGISTRY_USER SCHEMA_REGISTRY_PASSWORD
    KEYS_DIR HOST GATEWAY_PORT GATEWAY_STATUS_PORT IDENTITY_PORT WALLET_PORT TRANSACTION_PORT ADMIN_PORT TWIN_PORT
    IDENTITY_URL WALLET_URL TRANSACTION_URL ADMIN_URL TWIN_URL TWIN_WEBHOOK_URL TWIN_DATA_FILE
    PROVIDUS_BASE_URL PROVIDUS_API_KEY PROVIDUS_WEBHOOK_SECRET KYC_BASE_URL KYC_API_KEY MAILBOX_URL
    WALLET_ENV_OF WALLET_ENV_OWNS
)

# lock_data <data>: keeps a second script away until this one ends. Servers do not inherit the lock; what a killed script ran lets go of it soon.
data_locked=''
lock_data() {
    [[ $data_locked != "$1" ]] || return 0
    mkdir -p "$1"
    chmod go-w "$1"
    exec 9>"$1/lock"
    flock -w 5 9 || die "another script is using $1; stop it first"
    data_locked=$1
}

# start_servers <data> [postgres setting=value...]
start_servers() {
    local data=$1 own=()
    shift
    lock_data "$data"
    forget_own_environment "$data"
    stop_servers "$data"
    if [[ -z ${DB_HOST:-} ]]; then
        postgres_start "$data" "$@" || return 1
        export DB_HOST=127.0.0.1 DB_PORT=$postgres_port DB_USER=$postgres_user DB_PASSWORD=$postgres_password
        own+=(postgres)
        say "Postgres  127.0.0.1:$DB_PORT"
    else
        export DB_HOST DB_PORT=${DB_PORT:-5432} DB_USER=${DB_USER:-postgres} DB_PASSWORD=${DB_PASSWORD:-}
        say "Postgres  $DB_HOST:$DB_PORT, as given by DB_HOST"
    fi
    if [[ -z ${REDIS_HOST:-} ]]; then
        redis_start "$data" || return 1
        export REDIS_HOST=127.0.0.1 REDIS_PORT=$redis_port
        own+=(redis)
        say "Redis     127.0.0.1:$REDIS_PORT"
    else
        export REDIS_HOST REDIS_PORT=${REDIS_PORT:-6379}
        say "Redis     $REDIS_HOST:$REDIS_PORT, as given by REDIS_HOST"
    fi
    if [[ -n ${KAFKA_BROKERS:-} ]]; then
        say "Kafka     $KAFKA_BROKERS, as given by KAFKA_BROKERS"
    elif [[ ${EVENT_BROKER:-} == embedded ]]; then
        say "Kafka     none: EVENT_BROKER=embedded"
    elif kafka_possible && kafka_fetch; then
        kafka_start "$data" 1 || return 1
        KAFKA_BROKERS=$(kafka_bootstrap "$data" 1)
        own+=(kafka)
        say "Kafka     $KAFKA_BROKERS"
    else
        use_embedded_broker
        own+=(broker)
    fi
    export KAFKA_BROKERS=${KAFKA_BROKERS:-} EVENT_BROKER=${EVENT_BROKER:-}
    WALLET_ENV_OF=$data WALLET_ENV_OWNS="${own[*]}"
    write_environment "$data"
}

use_embedded_broker() {
    cat >&2 <<'WORDS'

  !!  No Kafka: Java 17 with Maven (to fetch Kafka once) is not to be had here.
  !!  The platform falls back to its EMBEDDED BROKER, which keeps nothing on disk. Nothing is lost: events
  !!  stay in the outbox and are offered again after a start. For the real thing:
  !!    sudo apt-get install -y --no-install-recommends default-jre-headless maven

WORDS
    EVENT_BROKER=embedded
}

# A shell that has sourced our env file and starts us again names our own servers, which do not run yet.
forget_own_environment() {
    [[ ${WALLET_ENV_OF:-} == "$1" ]] || return 0
    local server
    for server in ${WALLET_ENV_OWNS:-}; do
        case $server in
        postgres) unset DB_HOST DB_PORT DB_USER DB_PASSWORD DB_SSL_MODE DB_SSL_ROOT_CERT ;;
        redis) unset REDIS_HOST REDIS_PORT REDIS_PASSWORD ;;
        kafka) unset KAFKA_BROKERS ;;
        broker) unset EVENT_BROKER ;;
        esac
    done
}

# For scripts that want servers of their own, whatever the caller's environment names.
forget_environment() { unset DB_NAME "${environment[@]}"; }

# write_environment <data>: completes the environment, exports it, and writes it down for a second terminal.
# Secrets are made on the first start and kept. What the caller has set is left as it is.
write_environment() {
    local data=$1 name host
    export KEYS_DIR=${KEYS_DIR:-$data/keys} HOST=${HOST:-127.0.0.1}
    export GATEWAY_PORT=${GATEWAY_PORT:-8000} GATEWAY_STATUS_PORT=${GATEWAY_STATUS_PORT:-8100}
    export IDENTITY_PORT=${IDENTITY_PORT:-3001} WALLET_PORT=${WALLET_PORT:-3002} TRANSACTION_PORT=${TRANSACTION_PORT:-3003}
    export ADMIN_PORT=${ADMIN_PORT:-3004} TWIN_PORT=${TWIN_PORT:-4010}
    host=$(reachable_host)
    export IDENTITY_URL=${IDENTITY_URL:-http://$host:$IDENTITY_PORT} WALLET_URL=${WALLET_URL:-http://$host:$WALLET_PORT}
    export TRANSACTION_URL=${TRANSACTION_URL:-http://$host:$TRANSACTION_PORT} ADMIN_URL=${ADMIN_URL:-http://$host:$ADMIN_PORT}
    export TWIN_URL=${TWIN_URL:-http://$host:$TWIN_PORT} TWIN_DATA_FILE=${TWIN_DATA_FILE:-$data/twin/book.json}
    export TWIN_WEBHOOK_URL=${TWIN_WEBHOOK_URL:-http://$host:$GATEWAY_PORT/api/v1/wallet/webhooks/providus}
    export PROVIDUS_BASE_URL=${PROVIDUS_BASE_URL:-$TWIN_URL/api/v1} KYC_BASE_URL=${KYC_BASE_URL:-$TWIN_URL}
    export MAILBOX_URL=${MAILBOX_URL:-$TWIN_URL}
    export PROVIDUS_API_KEY=${PROVIDUS_API_KEY:-sk_sandbox_$(secret "$data/secrets/providus_api_key")}
    export PROVIDUS_WEBHOOK_SECRET=${PROVIDUS_WEBHOOK_SECRET:-$(secret "$data/secrets/providus_webhook_secret")}
    export KYC_API_KEY=${KYC_API_KEY:-$(secret "$data/secrets/kyc_api_key")}
    mkdir -p "$(dirname "$TWIN_DATA_FILE")"
    (umask 077 && mkdir -p "$KEYS_DIR")
    (
        umask 077
        echo "# Written by scripts/run.sh on each start: the environment that the services run with. Holds secrets."
        for name in "${environment[@]}"; do
            [[ -z ${!name:-} ]] || printf 'export %s=%q\n' "$name" "${!name}"
        done
    ) >"$data/env.new"
    chmod 600 "$data/env.new"
    mv "$data/env.new" "$data/env"
}

# An address that listens everywhere is reached on loopback.
reachable_host() { case $HOST in 0.0.0.0 | ::) say 127.0.0.1 ;; *) say "$HOST" ;; esac; }

# stop_servers <data>: stops what runs by the pid files there, Kafka first, the database last.
stop_servers() {
    kafka_stop "$1" 1
    redis_stop "$1"
    postgres_stop "$1"
}

# revive_servers <data>: brings back, at its old address, each server of ours that has died.
revive_servers() {
    local data=$1 server
    for server in ${WALLET_ENV_OWNS:-}; do
        case $server in
        postgres) is_running "$data/run/postgres.pid" || revive Postgres postgres_start "$data" ;;
        redis) is_running "$data/run/redis.pid" || revive Redis redis_start "$data" ;;
        kafka) is_running "$data/run/kafka-1-1.pid" || revive Kafka kafka_start "$data" 1 ;;
        esac
    done
}
revive() {
    warn "$1 has died; starting it again"
    shift
    "$@"
}
