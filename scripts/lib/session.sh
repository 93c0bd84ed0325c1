# shellcheck shell=bash
# The life of a script that owns processes: however it ends, by itself, by Ctrl-C or by a signal, `clean_up`
# (defined by the script) runs once, and what it runs at the moment is ended first.
# shellcheck source=common.sh
. "${BASH_SOURCE[0]%/*}/common.sh"
# shellcheck source=process.sh
. "${BASH_SOURCE[0]%/*}/process.sh"

attended_pid=''
stop_status='' # what an interrupt ends the script with; empty: 128 + the signal, as usual

# begin_session <the script's arguments...>
begin_session() {
    # Started in the background by another script, a shell inherits an ignored SIGINT, which it could not trap:
    # start over with the signal's default.
    local ignored
    ignored=$(awk '/^SigIgn:/ { print substr($2, length($2)) }' /proc/$$/status)
    if ((16#$ignored & 2)) && [[ -z ${WALLET_SIGNALS_RESET:-} ]]; then
        WALLET_SIGNALS_RESET=1 exec env --default-signal=INT,QUIT "$BASH" "$0" "$@"
    fi
    unset WALLET_SIGNALS_RESET
    export SPAWN_TIED=1
    trap end_session EXIT
    trap 'exit "${stop_status:-130}"' INT
    trap 'exit "${stop_status:-143}"' TERM
    trap 'exit "${stop_status:-129}"' HUP
}

end_session() {
    local status=$?
    trap '' INT TERM HUP
    trap - EXIT
    if [[ -n $attended_pid ]]; then
        kill -s TERM -- "-$attended_pid" 2>/dev/null || true
        wait "$attended_pid" 2>/dev/null || true
    fi
    clean_up || warn "not everything could be cleaned up"
    exit "$status"
}

# attended <command...>: runs a command to its end, and stays able to react to signals meanwhile: a shell
# handles them only between commands, and a build takes minutes.
attended() {
    local status=0
    setsid setpriv --pdeathsig TERM -- "$@" <&0 7>&- 8>&- 9>&- &
    attended_pid=$!
    wait "$attended_pid" || status=$?
    attended_pid=''
    return "$status"
}
