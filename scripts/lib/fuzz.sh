# shellcheck shell=bash
# Fuzzing by the contract: schemathesis calls a service with what its OpenAPI document allows and with what it does not, and checks
# each answer against the document. No answer may be a 5xx.
# It comes from PyPI, pinned by fuzz/requirements.txt, into the cache. The platform that it calls is one process with databases, topics,
# keys and ports of its own; the calls go to the service itself, past the gateway's rates.
# shellcheck source=stages.sh
. "${BASH_SOURCE[0]%/*}/stages.sh"
# shellcheck source=packages.sh
. "${BASH_SOURCE[0]%/*}/packages.sh"
# shellcheck source=platform.sh
. "${BASH_SOURCE[0]%/*}/platform.sh"

fuzz_requirements="$root/scripts/fuzz/requirements.txt"
fuzz_home="$cache/schemathesis-$(sha256sum "$fuzz_requirements" | cut -c 1-12)"
# The cases follow from the seed: what is tried is the same each time.
fuzz_seed=20261122
fuzz_cases=30
# Once more by a member of staff, who gets past the doors of reviews; the rest has been tried by then.
fuzz_staff_role=compliance
fuzz_staff_cases=10
fuzz_seconds=300
fuzz_checks=not_a_server_error,status_code_conformance,content_type_conformance
fuzz_checks+=,response_headers_conformance,response_schema_conformance

# fuzz_stage <data>: on servers that start_servers has started there, with binaries that are built.
fuzz_stage() {
    local name="identity-service, fuzzed by its contract"
    if fuzz_install >"$1/fuzz-install.log" 2>&1; then
        stage "$name" fuzz_identity "$1"
    else
        tail -n 5 "$1/fuzz-install.log" >&2
        warn "NOT FUZZED: schemathesis is not there and cannot be installed from here (python3-venv and PyPI are needed)"
        stage_skipped "$name" "schemathesis cannot be installed from here"
    fi
}

# Made in its place, because it knows its own path; the mark says that it is whole.
fuzz_install() {
    [[ ! -e $fuzz_home/.whole ]] || return 0
    [[ ${WALLET_INSTALL:-} != never ]] || return 1
    fuzz_has_venv || { may_install && apt_install python3-venv && fuzz_has_venv; } || return 1
    rm -rf "$fuzz_home"
    mkdir -p "$cache"
    attended python3 -m venv "$fuzz_home" || return 1
    attended "$fuzz_home/bin/python" -m pip install -q --disable-pip-version-check -r "$fuzz_requirements" || return 1
    touch "$fuzz_home/.whole"
}
fuzz_has_venv() { python3 -c 'import ensurepip, venv' 2>/dev/null; }

fuzz_identity() {
    local data="$1/fuzz" status=0
    fuzz_environment "$1" "$data"
    { fuzz_migrate && platform_start "$data" && fuzz_run "$data"; } || status=$?
    platform_stop "$data"
    # Why it answered 5xx, if it did.
    ((status == 0)) || grep '"level":"ERROR"' "$data/logs/standalone.log" | tail -n 10 || true
    fuzz_forget
    return "$status"
}

# fuzz_environment <data of the servers> <data of the platform>
fuzz_environment() {
    local name service
    # shellcheck source=/dev/null
    . "$1/env"
    # What follows from the ports, and what the services keep.
    unset IDENTITY_URL WALLET_URL TRANSACTION_URL ADMIN_URL TWIN_URL TWIN_WEBHOOK_URL PROVIDUS_BASE_URL KYC_BASE_URL MAILBOX_URL
    unset KEYS_DIR SERVICE_KEYS_DIR SERVICE_TOKENS SERVICE_TOKEN_SECRET TWIN_DATA_FILE
    for name in GATEWAY GATEWAY_STATUS IDENTITY WALLET TRANSACTION ADMIN TWIN; do
        name+=_PORT
        printf -v "$name" %s "$(keep_port "$2/ports/$name")"
        export "${name?}"
    done
    for service in "${platform_services[@]}"; do export "${service^^}_DB_NAME=fuzz_$service"; done
    export KAFKA_PREFIX=fuzz-
    write_environment "$2"
}
fuzz_forget() {
    local service
    forget_environment
    for service in "${platform_services[@]}"; do unset "${service^^}_DB_NAME"; done
}

fuzz_migrate() {
    local service
    for service in "${platform_services[@]}"; do
        "$binaries/$service-service" migrate >/dev/null || return 1
    done
}

# fuzz_run <data>: what it remembers, it keeps there.
fuzz_run() {
    local status=0
    fuzz_pass "$1" "$fuzz_cases" || status=$?
    fuzz_pass "$1" "$fuzz_staff_cases" "$fuzz_staff_role" || status=$?
    return "$status"
}

# fuzz_pass <data> <cases> [role]
fuzz_pass() {
    attended env -C "$1" "PYTHONPATH=$root/scripts/fuzz" PYTHONDONTWRITEBYTECODE=1 SCHEMATHESIS_HOOKS=hooks \
        "FUZZ_ROLE=${3:-}" "FUZZ_IDENTITY=$binaries/identity-service" \
        timeout -k 10 "$fuzz_seconds" "$fuzz_home/bin/st" --no-color run "$IDENTITY_URL/openapi.json" \
        --phases examples,coverage,fuzzing --checks "$fuzz_checks" --max-examples "$2" --seed "$fuzz_seed" \
        --generation-database none --continue-on-failure
}
