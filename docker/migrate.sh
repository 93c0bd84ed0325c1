#!/bin/sh
# Migrates the databases of all four services; flags such as `--status` are handed on.
# Each service brings its own migrations and creates its database when it is missing.
set -eu
for service in identity wallet transaction admin; do
    "$service-service" migrate "$@"
done
