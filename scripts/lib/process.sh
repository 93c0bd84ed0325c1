# shellcheck shell=bash
# Processes that the scripts start, each with a pid file of its own: `<pid> <start time>`.
# The start time tells our process from a later one that was given the same number, so a pid file
# left by a crash or a reboot is never mistaken for a running server, and nothing foreign is ever killed.
# shellcheck source=common.sh
. "${BASH_SOURCE[0]%/*}/common.sh"

# start_time <pid>: prints when the process started, in clock ticks; fails for a dead one or a zombie.
start_time() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    local fields
    read -ra fields <<<"${stat##*) }"
    [[ ${fields[0]} != [ZX] ]] || return 1
    printf '%s\n' "${fields[19]}"
}

# is_running <pid file>
is_running() {
    local pid started
    [[ -s $1 ]] && read -r pid started <"$1" && [[ $(start_time "$pid") == "$started" ]]
}

spawn_as=()

# spawn <pid file> <log file> <command...>: starts a process in a session of its own, so that Ctrl-C
# reaches only the script, which then stops things in order. With SPAWN_TIED=1 the kernel ends it (by SPAWN_SIGNAL)
# when the script itself is killed. `spawn_as`, where set, is the command that changes the user; it goes first,
# because a change of user would undo the tie. Call it from the script's own shell, not from a subshell.
spawn() {
    local pid_file=$1 log=$2 tie=()
    shift 2
    [[ ${SPAWN_TIED:-0} != 1 ]] || tie=(setpriv --pdeathsig "${SPAWN_SIGNAL:-TERM}" --)
    mkdir -p "$(dirname "$pid_file")" "$(dirname "$log")"
    : >"$log" # here, so that no one reads the last run's lines meanwhile
    # The descriptors of locks (7 to 9) stay with the script.
    setsid "${spawn_as[@]}" "${tie[@]}" "$@" >>"$log" 2>&1 </dev/null 7>&- 8>&- 9>&- &
    local pid=$! started
    disown "$pid" # the shell need not report its end
    started=$(start_time "$pid") || started=gone
    printf '%s %s\n' "$pid" "$started" >"$pid_file"
}

# stop_process <pid file> <signal> <seconds>: asks, waits, then kills; forgets the pid file.
stop_process() {
    local pid_file=$1 signal=$2 seconds=$3 pid
    if is_running "$pid_file"; then
        read -r pid _ <"$pid_file"
        kill -s "$signal" "$pid" 2>/dev/null || true
        if ! wait_until "$seconds" is_gone "$pid_file"; then
            warn "process $pid did not stop within $seconds s; killing it"
            kill -s KILL "$pid" 2>/dev/null || true
            wait_until 5 is_gone "$pid_file" || warn "process $pid is still there"
        fi
    fi
    rm -f "$pid_file"
}
is_gone() { ! is_running "$1"; }

# wait_ready <pid file> <log file> <seconds> <name> <command...>: waits until the command holds;
# gives up early when the process has died, and shows the end of its log.
wait_ready() {
    local pid_file=$1 log=$2 deadline=$((SECONDS + $3)) name=$4
    shift 4
    until "$@"; do
        if ! is_running "$pid_file" || ((SECONDS >= deadline)); then
            tail -n 20 "$log" >&2 || true
            warn "$name did not become ready; its log is $log"
            return 1
        fi
        sleep 0.1
    done
}

# A directory for servers that live as long as one script. Others may enter it, so that Postgres can run as its own user.
temporary_data() {
    local dir
    dir=$(mktemp -d "${TMPDIR:-/tmp}/wallet-platform.XXXXXX")
    chmod 711 "$dir"
    say "$dir"
}
