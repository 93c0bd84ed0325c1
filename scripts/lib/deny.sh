# shellcheck shell=bash
# cargo-deny: licences, sources and bans of what is built, and known weaknesses where the list of them can be fetched.
# It is built once into the cache, unoptimised: it runs for seconds.
# shellcheck source=stages.sh
. "${BASH_SOURCE[0]%/*}/stages.sh"

deny_version=0.20.2
deny_home="$cache/cargo-deny-$deny_version"

deny_install() {
    [[ ! -x $deny_home/bin/cargo-deny ]] || return 0
    say "building cargo-deny $deny_version (once)"
    # In a target directory of its own: it shares nothing with the project.
    attended env CARGO_PROFILE_DEV_DEBUG=false CARGO_TARGET_DIR="$deny_home.build" \
        cargo install -q --locked --debug --root "$deny_home" --version "$deny_version" cargo-deny || return 1
    rm -rf "$deny_home.build"
}

deny_check() { deny_install && attended "$deny_home/bin/cargo-deny" --locked check "$@"; }

# deny_stages <dir for logs>
deny_stages() {
    stage "licences, sources and bans" deny_check bans licenses sources
    local log="$1/advisories.log"
    if deny_check advisories >"$log" 2>&1; then
        stage "advisories" cat "$log"
    elif grep -q 'failed to fetch advisory database' "$log"; then
        stage_skipped "advisories" "the advisory database cannot be fetched from here"
    else
        stage "advisories" deny_failed "$log"
    fi
}
deny_failed() {
    cat "$1"
    return 1
}
