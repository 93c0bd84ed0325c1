# shellcheck shell=bash
# What every script stands on: where the checkout is, how it speaks, and how it waits.
# Sourced, never run; a part sources the parts that it needs itself.
# shellcheck disable=SC2034 # the variables are read by who sources this
[[ -z ${root:-} ]] || return 0

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
cache="${XDG_CACHE_HOME:-$HOME/.cache}/wallet-platform"

# One variable chooses how everything is built and which binaries run: `dev` (default) or `release`.
profile=${WALLET_PROFILE:-dev}
case $profile in
dev) profile_dir=debug ;;
release) profile_dir=release ;;
*)
    echo "WALLET_PROFILE is \`$profile\`; it has to be \`dev\` or \`release\`" >&2
    exit 2
    ;;
esac
binaries="${CARGO_TARGET_DIR:-$root/target}/$profile_dir"

say() { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}
# A wrong call of a script: status 2, as the shell's own.
misuse() {
    printf 'error: %s\nSee %s --help.\n' "$*" "$0" >&2
    exit 2
}
have() { command -v "$1" >/dev/null 2>&1; }

# The comment at the head of a script, without its marks, is its help.
print_help() { sed -n '2,/^[^#]/{/^#/!d; s/^# \{0,1\}//; p}' "$0"; }

# wait_until <seconds> <command...>: tries the command until it holds or the time is over.
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.1
    done
}

# A full disk is said before the work, not in the middle of it.
need_build_space() {
    local free needed=6
    [[ ! -d $binaries ]] || needed=2
    free=$(($(df --output=avail -k "$root" | tail -n 1) / 1000000))
    ((free >= needed)) || die "$root has $free GB of free disk space; building and testing needs $needed GB"
}

# build_binaries <package...>: silently, as these scripts then run them.
build_binaries() {
    local package flags=()
    for package; do flags+=(-p "$package"); done
    [[ $profile == dev ]] || flags+=(--release)
    (cd "$root" && cargo build -q --locked --bins "${flags[@]}")
}

# secret <file> [bytes]: prints the secret kept in the file, made on first use and readable by its owner only.
secret() {
    local file=$1 bytes=${2:-24}
    if [[ ! -s $file ]]; then
        mkdir -p "$(dirname "$file")"
        (umask 077 && openssl rand -hex "$bytes" >"$file.new" && mv "$file.new" "$file")
    fi
    cat "$file"
}
