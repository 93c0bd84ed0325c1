# shellcheck shell=bash
# What the scripts need from Debian, and how it gets there. A need is found by what it gives (a program, a header),
# so a Postgres or a Java that came from elsewhere counts too.
# As root, or with a sudo that asks nothing, missing packages are installed; otherwise the line that installs them is printed
# and the script ends. WALLET_INSTALL=never forbids installing. Installed services are neither started nor enabled.
# shellcheck source=common.sh
. "${BASH_SOURCE[0]%/*}/common.sh"
# shellcheck source=kafka.sh
. "${BASH_SOURCE[0]%/*}/kafka.sh"
# shellcheck source=postgres.sh
. "${BASH_SOURCE[0]%/*}/postgres.sh"

# package_present <package>
package_present() {
    case $1 in
    postgresql) postgres_bin >/dev/null && have psql ;;
    redis-server) have redis-server && have redis-cli ;;
    build-essential) have cc && have c++ && have make ;;
    libssl-dev) [[ -e /usr/include/openssl/ssl.h ]] || pkg-config --exists openssl 2>/dev/null ;;
    ca-certificates) [[ -s /etc/ssl/certs/ca-certificates.crt ]] ;;
    libcurl4-openssl-dev) compgen -G '/usr/include/*/curl/curl.h' >/dev/null || [[ -e /usr/include/curl/curl.h ]] || pkg-config --exists libcurl 2>/dev/null ;;
    zlib1g-dev) [[ -e /usr/include/zlib.h ]] || pkg-config --exists zlib 2>/dev/null ;;
    default-jre-headless) have java ;;
    maven) have mvn || [[ -d $kafka_jars ]] ;;
    prometheus) have promtool ;;
    *) have "$1" ;; # cmake, curl, jq, openssl, pkg-config, python3, shellcheck: the program is called like its package
    esac
}

# shellcheck disable=SC2034 # read by who sources this
{
    # Kafka's client is built without curl, but its source includes the header all the same.
    packages_build=(build-essential ca-certificates cmake pkg-config libcurl4-openssl-dev libssl-dev zlib1g-dev)
    packages_servers=(postgresql redis-server openssl curl jq)
    packages_kafka=(default-jre-headless maven)
    # Chromium makes and uses passkeys as people's browsers do.
    packages_tests=(chromium prometheus python3 shellcheck)
}

# need_packages <package...>: returns when all are there. Kafka's packages may be missing: an embedded broker stands in.
need_packages() {
    local package missing=() required=()
    have cargo || die "Rust is missing: install it from https://rustup.rs"
    for package in "$@"; do
        package_present "$package" || missing+=("$package")
    done
    ((${#missing[@]} > 0)) || return 0
    for package in "${missing[@]}"; do
        [[ " ${packages_kafka[*]} " == *" $package "* ]] || required+=("$package")
    done
    if may_install; then
        say "installing: ${missing[*]}"
        if ! apt_install "${missing[@]}"; then
            # A Java that cannot be had must not keep the rest away.
            if ((${#required[@]} == ${#missing[@]})) || ! apt_install "${required[@]}"; then
                refuse_packages "${required[@]}"
            fi
            warn "Kafka's packages could not be installed: ${packages_kafka[*]}"
        fi
    elif ((${#required[@]} > 0)); then
        refuse_packages "${missing[@]}"
    else
        warn "for a real Kafka, install: sudo apt-get install -y --no-install-recommends ${missing[*]}"
    fi
}

refuse_packages() {
    warn "these Debian packages are missing and could not be installed from here: $*"
    say "Run this, then start again:" >&2
    say "  sudo apt-get update && sudo apt-get install -y --no-install-recommends $*" >&2
    exit 1
}

may_install() {
    [[ ${WALLET_INSTALL:-} != never ]] && have apt-get || return 1
    ((EUID == 0)) || { have sudo && sudo -n true 2>/dev/null; }
}

as_root() { if ((EUID == 0)); then "$@"; else sudo -n "$@"; fi; }

apt_install() {
    local status=0 log
    (($# > 0)) || return 0
    log=$(mktemp)
    (
        trap allow_service_starts EXIT # an interrupt comes here too
        forbid_service_starts
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 update || true
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
            install --no-install-recommends "$@"
    ) >"$log" 2>&1 || status=$?
    ((status == 0)) || tail -n 20 "$log" >&2
    rm -f "$log"
    if [[ -d /run/systemd/system ]]; then
        local package
        for package in "$@"; do
            case $package in
            postgresql | redis-server | prometheus) as_root systemctl disable -q "$package" || true ;;
            esac
        done
    fi
    return "$status"
}

# Debian starts what it installs, unless a policy says no. A policy that was there before is put back, also
# by the next run when this one is killed.
policy=/usr/sbin/policy-rc.d
policy_kept=$policy.before-wallet-platform
policy_mark='# wallet-platform: nothing is started while packages are installed'
forbid_service_starts() {
    allow_service_starts
    [[ ! -e $policy ]] || as_root mv "$policy" "$policy_kept"
    printf '#!/bin/sh\n%s\nexit 101\n' "$policy_mark" | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
}
allow_service_starts() {
    ! grep -qsF "$policy_mark" "$policy" || as_root rm -f "$policy"
    [[ ! -e $policy_kept ]] || as_root mv "$policy_kept" "$policy"
}
