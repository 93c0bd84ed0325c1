#!/bin/sh
# Puts the public keys into kong.yml, and Redis where the rates are to be counted by several gateways together.
#
#   gateway/render.sh <public-keys.pem> > rendered.yml
#   REDIS_HOST=redis REDIS_PORT=6379 REDIS_PASSWORD=… gateway/render.sh --redis <public-keys.pem> > rendered.yml
#   JWT_SECRET=… gateway/render.sh > rendered.yml
#
# The keys are those that identity-service publishes, each in PEM under a line `kid: <its name>`. Where JWT_SECRET is set, tokens are
# signed with it and there are no keys. Kong and the embedded gateway read the same result. It holds no secret unless JWT_SECRET or
# REDIS_PASSWORD is given.
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
secret=${JWT_SECRET:-}
template=${KONG_TEMPLATE:-$(dirname "$0")/kong.yml}
[ -r "$template" ] || fail "cannot read $template"
for name in JWT_KID JWT_PUBLIC_KEY; do
    [ "$(grep -c "@$name@" "$template")" -eq 1 ] || fail "$template does not name @$name@ exactly once"
done

# A line for each key: its name and itself, with \n for the ends of lines.
keys=
if [ -n "$secret" ]; then
    # shellcheck disable=SC1003 # the backslash is one of the characters
    case $secret in *['"\']*) fail "JWT_SECRET may hold neither quotes nor backslashes" ;; esac
    [ "${#secret}" -ge 32 ] || fail "JWT_SECRET must have at least 32 characters"
else
    [ $# -eq 1 ] || fail "usage: render.sh [--redis] <public-keys.pem>"
    key=$1
    [ -r "$key" ] || fail "cannot read $key"
    # A private key in this file would be served to whoever reads the gateway's configuration.
    if grep -q 'PRIVATE KEY' "$key"; then fail "$key holds a private key"; fi
    keys=$(awk '
        { sub(/\r$/, "") }
        /^kid: [A-Za-z0-9_-]+$/ { kid = $2; next }
        /^-----BEGIN PUBLIC KEY-----$/ { if (kid == "") exit 1; pem = "" ; within = 1 }
        within { pem = pem $0 "\\n" }
        /^-----END PUBLIC KEY-----$/ && within { print kid " " pem; kid = ""; within = 0 }
    ' "$key") || fail "$key has a public key without a line that names it (kid: …)"
    [ -n "$keys" ] || fail "$key holds no public key in PEM"
fi

host=${REDIS_HOST:-}
port=${REDIS_PORT:-6379}
password=${REDIS_PASSWORD:-}
if [ "$redis" = yes ]; then
    case $host in '' | *[!A-Za-z0-9.:_-]*) fail "REDIS_HOST is not a host" ;; esac
    case $port in '' | *[!0-9]*) fail "REDIS_PORT is not a port" ;; esac
    # shellcheck disable=SC1003 # the backslash is one of the characters
    case $password in *['"\']*) fail "REDIS_PASSWORD may hold neither quotes nor backslashes" ;; esac
fi

JWT_KEYS=$keys JWT_SECRET=$secret REDIS_PASSWORD=$password awk -v redis="$redis" -v host="$host" -v port="$port" '
    # What stands in the place of `name`, whatever letters it has.
    function put(line, name, value,    at) {
        at = index(line, name)
        return at ? substr(line, 1, at - 1) value substr(line, at + length(name)) : line
    }
    /@JWT_KID@/ { held = ""; holding = 1 }
    holding {
        held = held $0 "\n"
        if (!/@JWT_PUBLIC_KEY@/) next
        holding = 0
        if (ENVIRON["JWT_SECRET"] != "") {
            sub(/algorithm: EdDSA/, "algorithm: HS256", held)
            sub(/rsa_public_key:/, "secret:", held)
            held = put(held, "@JWT_KID@", "jwt-secret")
            printf "%s", put(held, "@JWT_PUBLIC_KEY@", ENVIRON["JWT_SECRET"])
            next
        }
        count = split(ENVIRON["JWT_KEYS"], each, "\n")
        for (at = 1; at <= count; at++) {
            gap = index(each[at], " ")
            block = put(held, "@JWT_KID@", substr(each[at], 1, gap - 1))
            printf "%s", put(block, "@JWT_PUBLIC_KEY@", substr(each[at], gap + 1))
        }
        next
    }
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
