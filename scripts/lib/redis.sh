# shellcheck shell=bash
# A Redis of our own on loopback. It keeps nothing on disk: what it holds are copies, and old copies
# found after a restart could be stale.
# shellcheck source=common.sh
. "${BASH_SOURCE[0]%/*}/common.sh"
# shellcheck source=process.sh
. "${BASH_SOURCE[0]%/*}/process.sh"
# shellcheck source=ports.sh
. "${BASH_SOURCE[0]%/*}/ports.sh"

# redis_start <data>: starts it; sets `redis_port`.
redis_start() {
    local data=$1
    redis_port=$(keep_port "$data/ports/redis") || return 1
    mkdir -p "$data/redis"
    spawn "$data/run/redis.pid" "$data/logs/redis.log" redis-server --bind 127.0.0.1 --port "$redis_port" \
        --dir "$data/redis" --save '' --appendonly no --maxmemory 256mb --maxmemory-policy allkeys-lru --daemonize no
    wait_ready "$data/run/redis.pid" "$data/logs/redis.log" 20 Redis redis_answers
}
redis_answers() { [[ $(redis-cli -h 127.0.0.1 -p "$redis_port" ping 2>/dev/null) == PONG ]]; }
redis_stop() { stop_process "$1/run/redis.pid" TERM 10; }
