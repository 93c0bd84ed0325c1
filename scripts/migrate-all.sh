#!/usr/bin/env bash
# Migrates the databases of all four services, or of one. A missing database is created.
#
#   scripts/migrate-all.sh [--service=identity|wallet|transaction|admin] [--status] [--dry-run]
#
#   --service=NAME  only this service's database
#   --status        shows which migrations are applied and which wait; changes nothing
#   --dry-run       shows what would be applied; changes nothing
#
# The server is named by DB_HOST, DB_PORT, DB_USER and DB_PASSWORD. Without DB_HOST it is the one that run.sh keeps
# running (.data/env). A database has another name than <service>_db by <SERVICE>_DB_NAME, as for the services.
# WALLET_PROFILE=release uses release builds.
set -euo pipefail
# shellcheck source=lib/common.sh
. "$(dirname "$0")/lib/common.sh"

services=(identity wallet transaction admin) flags=()
while (($# > 0)); do
    case $1 in
    --service=*) chosen=${1#*=} ;;
    --service)
        (($# > 1)) || misuse "--service needs a value"
        chosen=$2
        shift
        ;;
    --status | --dry-run) flags+=("$1") ;;
    -h | --help)
        print_help
        exit 0
        ;;
    *) misuse "unknown argument \`$1\`" ;;
    esac
    shift
done
if [[ -n ${chosen+set} ]]; then
    [[ " ${services[*]} " == *" $chosen "* && -n $chosen ]] ||
        misuse "there is no service \`$chosen\`; there are: ${services[*]}"
    services=("$chosen")
fi
((${#flags[@]} < 2)) || misuse "--status and --dry-run exclude each other"

if [[ -z ${DB_HOST:-} && -s $root/.data/env ]]; then
    # shellcheck source=/dev/null
    . "$root/.data/env"
fi
[[ -n ${DB_HOST:-} ]] || die "no database server: set DB_HOST (and DB_PORT, DB_USER, DB_PASSWORD), or start scripts/run.sh"
build_binaries "${services[@]/%/-service}"

# A plain DB_NAME means one database, so it counts only where one service is meant.
((${#services[@]} == 1)) || unset DB_NAME

for service in "${services[@]}"; do
    say "$service"
    # The binary carries its migrations, and creates its database when it is missing.
    (cd "$root" && "$binaries/$service-service" migrate "${flags[@]}") ||
        die "$service: not migrated; what was applied before stays applied"
done
