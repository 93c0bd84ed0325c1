# shellcheck shell=bash
# A schema registry out of Maven Central: Apicurio Registry, which keeps everything in memory and speaks Confluent's REST
# interface. Layout under the data directory: `registry/` holds its port, `run/registry.pid` the process, `logs/registry.log`
# what it says.
# shellcheck source=common.sh
. "${BASH_SOURCE[0]%/*}/common.sh"
# shellcheck source=process.sh
. "${BASH_SOURCE[0]%/*}/process.sh"
# shellcheck source=ports.sh
. "${BASH_SOURCE[0]%/*}/ports.sh"

registry_version=3.0.9
registry_home="$cache/apicurio-registry-$registry_version"

# Fetches it once. It appears under its final name only when all is there.
registry_fetch() {
    [[ ! -d $registry_home ]] || return 0
    mkdir -p "$cache"
    (
        flock 7
        [[ ! -d $registry_home ]] || exit 0
        say "fetching Apicurio Registry $registry_version from Maven Central (109 MB, once)"
        rm -rf "$registry_home.new" "$registry_home.repository"
        mkdir -p "$registry_home.new"
        mvn -q -B -C -Dstyle.color=never org.apache.maven.plugins:maven-dependency-plugin:2.8:get \
            "-Dmaven.repo.local=$registry_home.repository" -Dtransitive=false \
            "-Dartifact=io.apicurio:apicurio-registry-app:$registry_version:tar.gz:all" >&2 || exit 1
        find "$registry_home.repository" -name 'apicurio-registry-app-*-all.tar.gz' -exec tar xzf {} -C "$registry_home.new" \;
        rm -rf "$registry_home.repository"
        mv "$registry_home.new" "$registry_home"
    ) 7>"$cache/registry.lock"
}

registry_url() { say "http://127.0.0.1:$(<"$1/registry/port")/apis/ccompat/v7"; }

# registry_start <data>: returns when it answers.
registry_start() {
    local data=$1 port log="$1/logs/registry.log"
    ! is_running "$data/run/registry.pid" || return 0
    registry_fetch || return 1
    port=$(keep_port "$data/registry/port") || return 1
    spawn "$data/run/registry.pid" "$log" \
        java -Xms64m -Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dquarkus.http.host=127.0.0.1 \
        "-Dquarkus.http.port=$port" -jar "$registry_home/apicurio-registry-app-$registry_version-runner.jar"
    wait_ready "$data/run/registry.pid" "$log" 90 "the schema registry" registry_answers "$(registry_url "$data")"
}
registry_answers() { curl -fsS -o /dev/null --max-time 5 "$1/subjects" 2>/dev/null; }

registry_stop() { stop_process "$1/run/registry.pid" TERM 10; }
