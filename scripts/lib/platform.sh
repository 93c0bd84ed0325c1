# shellcheck shell=bash
# The platform itself: all four services, the gateway and the provider twin in one process, `standalone`.
# shellcheck source=session.sh
. "${BASH_SOURCE[0]%/*}/session.sh"
# shellcheck source=servers.sh
. "${BASH_SOURCE[0]%/*}/servers.sh"

platform_services=(identity wallet transaction admin)

platform_build() {
    local flags=() service
    [[ $profile == dev ]] || flags=(--release)
    for service in "${platform_services[@]}"; do flags+=(-p "$service-service"); done
    attended cargo build --locked --bins -p standalone "${flags[@]}"
}

# Checked before the start, because the answer can be given in words here.
platform_ports_free() {
    local name
    for name in GATEWAY GATEWAY_STATUS IDENTITY WALLET TRANSACTION ADMIN TWIN; do
        name+=_PORT
        port_is_free "${!name}" || die "port ${!name} is taken; stop what listens there, or set $name to another"
    done
}

platform_start() {
    local service name host
    platform_spawn "$1"
    host=$(reachable_host)
    for service in "${platform_services[@]}"; do
        name="${service^^}_PORT"
        wait_ready "$1/run/standalone.pid" "$1/logs/standalone.log" 90 "$service-service" \
            answers_ok "http://$host:${!name}/health/ready" || return 1
    done
    wait_ready "$1/run/standalone.pid" "$1/logs/standalone.log" 30 "the gateway" accepts "$GATEWAY_PORT"
}
# The memory settings are those of .cargo/config.toml, which has the reason.
platform_spawn() {
    MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=262144 \
        spawn "$1/run/standalone.pid" "$1/logs/standalone.log" "$binaries/standalone" serve
}
platform_stop() { stop_process "$1/run/standalone.pid" TERM 30; }

answers_ok() { curl -fsS -o /dev/null --max-time 5 "$1" 2>/dev/null; }

# The people of the demonstration who are not customers. They keep their passwords over a second start.
platform_staff() {
    local role phone=+2348000000001
    for role in support compliance; do
        platform_staff_member "$1" "$role" "$phone"
        phone=+2348000000002
    done
}
platform_staff_member() {
    local data=$1 role=$2 phone=$3 password answer
    password=$(secret "$data/secrets/demo_${role}_password")
    export "DEMO_${role^^}_EMAIL=$role@demo.example" "DEMO_${role^^}_PASSWORD=$password"
    if answer=$("$binaries/identity-service" users create-staff --email "$role@demo.example" --phone "$phone" \
        --name "Demo ${role^}" --role "$role" --password-stdin <<<"$password" 2>&1); then
        say "made a $role agent: $role@demo.example"
    elif [[ $answer == *taken* || $answer == *already* || $answer == *exists* ]]; then
        say "the $role agent is there: $role@demo.example"
    else
        printf '%s\n' "$answer" >&2
        die "could not make a $role agent"
    fi
}

platform_demo() { attended "$binaries/standalone" demo --gateway "http://$(reachable_host):$GATEWAY_PORT"; }

platform_addresses() {
    local host service name
    host=$(reachable_host)
    say "gateway      http://$host:$GATEWAY_PORT/api/v1   reference: http://$host:$GATEWAY_PORT/docs   metrics: :$GATEWAY_STATUS_PORT/metrics"
    for service in "${platform_services[@]}"; do
        name="${service^^}_PORT"
        printf '%-12s http://%s:%s   health: /health/ready, metrics: /metrics\n' "$service" "$host" "${!name}"
    done
    say "twin         $TWIN_URL   the bank's stand-in"
    say "environment  source ${1#"$root"/}/env"
}

# Serves until a signal. What dies meanwhile is brought back, but not for ever: what dies ten times
# within a minute of each other is broken, and saying so is more use.
platform_watch() {
    local data=$1 deaths=0 last=$SECONDS
    while true; do
        sleep 1 9>&- &
        wait $! || true
        if ! platform_alive "$data"; then
            ((SECONDS - last < 60)) || deaths=0
            deaths=$((deaths + 1)) last=$SECONDS
            ((deaths < 10)) || die "something here dies again and again; the logs are in $data/logs"
            revive_servers "$data" || warn "a server did not come back; trying again"
            if ! is_running "$data/run/standalone.pid"; then
                warn "the platform has died; starting it again"
                platform_start "$data" || warn "the platform did not come back; trying again"
            fi
        fi
    done
}
platform_alive() {
    local pid_file
    is_running "$1/run/standalone.pid" || return 1
    for pid_file in "$1"/run/*.pid; do
        is_running "$pid_file" || return 1
    done
}
