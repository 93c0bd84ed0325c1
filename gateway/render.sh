#!/bin/sh
# Puts the public key into kong.yml, and Redis where the rates are to be counted by several gateways together.
#
#   gateway/render.sh <public-key.pem> > rendered.yml
#   REDIS_HOST=redis REDIS_PORT=6379 REDIS_PASSWORD=… gateway/render.sh --redis <public-key.pem> > rendered.yml
#
# Kong and the embedded gateway read the same result. It holds no secret unless REDIS_PASSWORD is given.
set -eu

fail() {
    echo "render.sh: $1" >&2
    exit 1
}

redis=no
if [ "${1:-}" = --redis ]; then
    redis=yes
    shift
fi
[ $# -eq 1 ] || fail "usage: render.sh [--redis] <public-key.pem>"
key=$1
template=${KONG_TEMPLATE:-$(dirname "$0")/kong.yml}

[ -r "$key" ] || fail "cannot read $key"
[ -r "$template" ] || fail "cannot read $template"
# A private key in this file would be served to whoever reads the gateway's configuration.
if grep -q 'PRIVATE KEY' "$key"; then fail "$key holds a private key"; fi
[ "$(head -n 1 "$key")" = "-----BEGIN PUBLIC KEY-----" ] || fail "$key is not a public key in PEM"
[ "$(grep -c '@JWT_PUBLIC_KEY@' "$template")" -eq 1 ] || fail "$template does not name @JWT_PUBLIC_KEY@ exactly once"

host=${REDIS_HOST:-}
port=${REDIS_PORT:-6379}
password=${REDIS_PASSWORD:-}
if [ "$redis" = yes ]; then
    case $host in '' | *[!A-Za-z0-9.:_-]*) fail "REDIS_HOST is not a host" ;; esac
    case $port in '' | *[!0-9]*) fail "REDIS_PORT is not a port" ;; esac
    # shellcheck disable=SC1003 # the backslash is one of the characters
    case $password in *['"\']*) fail "REDIS_PASSWORD may hold neither quotes nor backslashes" ;; esac
fi

pem=$(awk '{ sub(/\r$/, ""); printf "%s\\\\n", $0 }' "$key")
REDIS_PASSWORD=$password awk -v pem="$pem" -v redis="$redis" -v host="$host" -v port="$port" '
    { at = index($0, "@JWT_PUBLIC_KEY@") }
    at { print substr($0, 1, at - 1) pem substr($0, at + length("@JWT_PUBLIC_KEY@")); next }
    redis == "yes" && /^ +policy: local$/ {
        indent = $0
        sub(/policy.*/, "", indent)
        print indent "policy: redis"
        print indent "redis:"
        print indent "  host: \"" host "\""
        print indent "  port: " port
        print indent "  timeout: 500"
        if (ENVIRON["REDIS_PASSWORD"] != "") print indent "  password: \"" ENVIRON["REDIS_PASSWORD"] "\""
        next
    }
    { print }
' "$template"
