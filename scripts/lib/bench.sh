# shellcheck shell=bash
# The servers that benchmarks run on.
# shellcheck source=session.sh
. "${BASH_SOURCE[0]%/*}/session.sh"
# shellcheck source=servers.sh
. "${BASH_SOURCE[0]%/*}/servers.sh"

# A quarter of the memory, as is usual, and no more than 4 GB.
bench_shared_buffers() { awk '/^MemTotal:/ { quarter = int($2 / 4096); print (quarter > 4096 ? 4096 : quarter) }' /proc/meminfo; }

# What a server of this size would be given; durability stays as Postgres has it. The same for everything that is measured.
# No checkpoint falls into a load: one that does would be paid for by whoever happens to run.
bench_settings=(
    shared_buffers="$(bench_shared_buffers)MB" max_wal_size=16GB min_wal_size=4GB checkpoint_timeout=30min
)

# bench_space <data> <gigabytes>: where the databases may lie, which is said before the work.
bench_space() {
    local free
    free=$(df --output=avail -k "$1" /var/tmp | awk 'NR > 1 { print int($1 / 1000000) }' | sort -n | head -n 1)
    ((free >= $2)) || die "$1 or /var/tmp has $free GB of free disk space; this needs $2 GB"
}

# bench_postgres <data>: starts it and exports its address.
bench_postgres() {
    postgres_start "$1" "${bench_settings[@]}"
    export DB_HOST=127.0.0.1 DB_PORT=$postgres_port DB_USER=$postgres_user DB_PASSWORD=$postgres_password
    say "Postgres  127.0.0.1:$DB_PORT"
}

# bench_servers <data>: all that the platform needs, and ports for it that nobody else has.
bench_servers() {
    local data=$1 name port
    # What was published in an earlier run would be taken in by this one.
    rm -rf "$data/kafka-1"
    for name in GATEWAY GATEWAY_STATUS IDENTITY WALLET TRANSACTION ADMIN TWIN; do
        port=$(keep_port "$data/ports/${name,,}") || return 1
        export "${name}_PORT=$port"
    done
    start_servers "$data" "${bench_settings[@]}"
    BENCH_PARTS="redis=$(bench_pid "$data/run/redis.pid")"
    [[ -z $KAFKA_BROKERS ]] || BENCH_PARTS+=" kafka=$(bench_pid "$data/run/kafka-1-1.pid")"
    export BENCH_PARTS BENCH_LOGS="$data/logs"
    # The memory settings are those of .cargo/config.toml, which has the reason.
    export MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=262144
}
bench_pid() { cut -d ' ' -f 1 "$1"; }
