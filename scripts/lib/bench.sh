# shellcheck shell=bash
# The Postgres that benchmarks run on.
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

# bench_postgres <data>: starts it and exports its address.
bench_postgres() {
    postgres_start "$1" "${bench_settings[@]}"
    export DB_HOST=127.0.0.1 DB_PORT=$postgres_port DB_USER=$postgres_user DB_PASSWORD=$postgres_password
    PGBENCH=$(postgres_bin)/pgbench
    export PGBENCH
}
