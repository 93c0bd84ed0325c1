# shellcheck shell=bash
# Free loopback ports, chosen below the range from which the kernel takes ports for outgoing connections.
# shellcheck source=common.sh
. "${BASH_SOURCE[0]%/*}/common.sh"

# port_is_free <port>: nothing listens there, on any address.
port_is_free() {
    local hex tables=(/proc/net/tcp)
    printf -v hex ':%04X' "$1"
    [[ ! -r /proc/net/tcp6 ]] || tables+=(/proc/net/tcp6)
    ! awk -v port="$hex" '$4 == "0A" && substr($2, length($2) - 4) == port { found = 1 } END { exit !found }' \
        "${tables[@]}"
}

# keep_port <file>: prints the port remembered in the file while it is free, else a new one,
# which is remembered: a server is found at the same address after every start.
keep_port() {
    local file=$1 port tries
    if [[ -s $file ]]; then
        port=$(<"$file")
        if port_is_free "$port"; then
            say "$port"
            return
        fi
    fi
    for ((tries = 0; tries < 200; tries++)); do
        port=$((20000 + RANDOM % 12000))
        if port_is_free "$port" && ! grep -qsx "$port" "$(dirname "$file")"/*; then
            mkdir -p "$(dirname "$file")"
            say "$port" >"$file"
            say "$port"
            return
        fi
    done
    die "found no free port between 20000 and 31999"
}

# accepts <port>: something on loopback takes connections there.
accepts() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
