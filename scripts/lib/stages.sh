# shellcheck shell=bash
# Stages of a check: each has a name, is timed, and is counted as passed or failed; a stage that runs cargo's
# tests counts each of them. A failure does not keep the later stages from running.
# shellcheck source=session.sh
. "${BASH_SOURCE[0]%/*}/session.sh"

passed=0 failed=0 stage_lines=()

# stage <name> <command...>
stage() {
    local name=$1 begun=$SECONDS result=ok
    shift
    step "$name"
    if "$@"; then
        passed=$((passed + 1))
    else
        result=FAILED failed=$((failed + 1))
    fi
    stage_done "$result" "$begun" "$name"
}

# stage_tests <name> <log> <command...>: sums up the result lines of the test binaries.
stage_tests() {
    local name=$1 log=$2 begun=$SECONDS status=0 good bad
    shift 2
    step "$name"
    # One group of processes, so that an interrupt reaches the tests too.
    # shellcheck disable=SC2016 # expanded by the inner shell
    attended bash -c 'set -o pipefail; log=$1; shift; "$@" 2>&1 | tee "$log"' - "$log" "$@" || status=$?
    good=$(sum_results passed "$log")
    bad=$(sum_results failed "$log")
    # What failed without a test of its own: code that does not compile, a test binary that was killed.
    if ((status != 0 && bad == 0)); then bad=1; fi
    passed=$((passed + good)) failed=$((failed + bad))
    stage_done "$( ((bad == 0)) && echo ok || echo FAILED)" "$begun" "$name ($good passed, $bad failed)"
}
sum_results() { sed -n "s/^test result: .* \([0-9]*\) $1;.*/\1/p" "$2" | awk '{ sum += $1 } END { print sum + 0 }'; }

stage_skipped() {
    step "$1"
    say "skipped: $2"
    stage_lines+=("$(printf '%-8s %6s    %s: %s' skipped '' "$1" "$2")")
}
stage_done() { stage_lines+=("$(printf '%-8s %4d s    %s' "$1" $((SECONDS - $2)) "$3")"); }

stage_summary() {
    step "summary"
    printf '%s\n' "${stage_lines[@]}"
    say ""
    say "$passed passed, $failed failed"
}
