# shellcheck shell=bash
# A Postgres cluster of our own, on loopback over TCP only, with a random password (scram).
# Postgres refuses to run as root, so root runs it as the user `postgres` (or `nobody`). That user often may not
# enter the checkout (a clone under /root): the cluster then lies in a fresh directory under /var/tmp, and
# `postgres` in the data directory is a link to it, which also finds it again.
# shellcheck source=common.sh
. "${BASH_SOURCE[0]%/*}/common.sh"
# shellcheck source=process.sh
. "${BASH_SOURCE[0]%/*}/process.sh"
# shellcheck source=ports.sh
. "${BASH_SOURCE[0]%/*}/ports.sh"

postgres_user=wallet

# Debian keeps the server's programs out of the path, by version; the newest is taken.
postgres_bin() {
    local dir
    dir=$(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
    if [[ -x ${dir:-/nowhere}/initdb ]]; then
        say "$dir"
    elif have initdb; then
        dirname "$(readlink -f "$(command -v initdb)")"
    else
        return 1
    fi
}

# Fills `as_postgres` with what a command of the cluster is prefixed with, and `postgres_owner` with who that is.
postgres_identity() {
    as_postgres=() postgres_owner=$(id -un)
    ((EUID == 0)) || return 0
    postgres_owner=nobody
    ! id -u postgres >/dev/null 2>&1 || postgres_owner=postgres
    as_postgres=(setpriv --reuid "$postgres_owner" --regid "$(id -gn "$postgres_owner")" --clear-groups --)
}

# postgres_home <data>: prints the directory that holds the cluster and that its user can enter.
postgres_home() {
    local link="$1/postgres" home
    if [[ -d $link ]]; then
        (cd "$link" && pwd -P)
        return
    fi
    rm -f "$link" # a link whose target somebody removed
    mkdir "$link"
    chmod 700 "$link"
    chown "$postgres_owner" "$link"
    if ! "${as_postgres[@]}" test -w "$link"; then
        rmdir "$link"
        home=$(mktemp -d /var/tmp/wallet-platform.XXXXXX)
        chown "$postgres_owner" "$home"
        ln -s "$home" "$link"
        warn "$postgres_owner may not enter $1; the database lies in $home"
    fi
    (cd "$link" && pwd -P)
}

# postgres_init <home> <password>: makes the cluster; it gets its final name only when it is whole.
postgres_init() {
    local home=$1 password_file
    rm -rf "$home/new"
    password_file=$(mktemp "${TMPDIR:-/tmp}/wallet-platform.XXXXXX")
    printf '%s\n' "$2" >"$password_file"
    chown "$postgres_owner" "$password_file"
    # Not from the checkout: its directory may be closed to the user.
    if ! (cd / && "${as_postgres[@]}" "$(postgres_bin)/initdb" -D "$home/new" -U "$postgres_user" -E UTF8 --locale=C.UTF-8 \
        --auth=scram-sha-256 "--pwfile=$password_file") >"$home/initdb.log" 2>&1; then
        cat "$home/initdb.log" >&2
        rm -f "$password_file"
        return 1
    fi
    rm -f "$password_file" "$home/initdb.log"
    mv "$home/new" "$home/cluster"
}

# postgres_start <data> [setting=value...]: starts it, or leaves the running one; sets `postgres_port` and `postgres_password`.
postgres_start() {
    local data=$1 home settings=() setting
    shift
    postgres_identity
    home=$(postgres_home "$data") || return 1
    postgres_password=$(secret "$data/secrets/postgres_password") || return 1
    [[ -d $home/cluster ]] || postgres_init "$home" "$postgres_password" || return 1
    postgres_recover "$home/cluster"
    postgres_port=$(keep_port "$data/ports/postgres") || return 1
    for setting in listen_addresses=127.0.0.1 "port=$postgres_port" unix_socket_directories= max_connections=300 "$@"; do
        settings+=(-c "$setting")
    done
    local spawn_as=("${as_postgres[@]}")
    SPAWN_SIGNAL=INT spawn "$data/run/postgres.pid" "$data/logs/postgres.log" \
        "$(postgres_bin)/postgres" -D "$home/cluster" "${settings[@]}"
    wait_ready "$data/run/postgres.pid" "$data/logs/postgres.log" 60 Postgres postgres_answers "$data"
}

postgres_answers() {
    PGPASSWORD=$postgres_password PGCONNECT_TIMEOUT=2 psql -X -q -h 127.0.0.1 -p "$postgres_port" -U "$postgres_user" \
        -d postgres -c 'SELECT 1' >/dev/null 2>&1
}

# postgres_recover <cluster>: a server that outlived a killed script still holds the cluster: it is stopped.
# A pid file that nobody stands behind would make Postgres refuse to start when its number is in use again.
postgres_recover() {
    local pid
    [[ -s $1/postmaster.pid ]] || return 0
    pid=$(head -n 1 "$1/postmaster.pid")
    if [[ $(readlink "/proc/$pid/cwd" 2>/dev/null) == "$1" ]]; then
        kill -s INT "$pid" 2>/dev/null || true
        wait_until 30 test ! -e "$1/postmaster.pid" || return 1
    fi
    rm -f "$1/postmaster.pid"
}

# Fast shutdown: open sessions are ended, and what was committed is written.
postgres_stop() { stop_process "$1/run/postgres.pid" INT 30; }

# postgres_remove <data>: removes the cluster, wherever it lies.
postgres_remove() { [[ ! -d $1/postgres ]] || rm -rf "$(cd "$1/postgres" && pwd -P)" "$1/postgres"; }
