# syntax=docker/dockerfile:1.7
# One build, one image a program:
#
#   docker build --target wallet-service .
#
# Targets: identity-service wallet-service transaction-service admin-service provider-twin migrate.
# No database is needed to build: SQL is checked against the committed `.sqlx`.

FROM rust:1.95-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends cmake libcurl4-openssl-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
ENV SQLX_OFFLINE=true
# The caches outlive the step, so the programs are copied out of it.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bins \
        -p identity-service -p wallet-service -p transaction-service -p admin-service -p provider-twin \
    && mkdir /out \
    && cd target/release \
    && cp identity-service wallet-service transaction-service admin-service provider-twin /out/

# What every program needs, and nothing that builds. Services run as a user without rights, who owns only their data.
FROM debian:bookworm-slim AS runtime
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl libssl3 zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --no-create-home --home-dir /var/lib/wallet wallet \
    && install -d -o wallet -g wallet -m 0700 /var/lib/wallet/keys /var/lib/wallet/twin \
    && install -d -o wallet -g wallet -m 0755 /var/lib/wallet/gateway
WORKDIR /var/lib/wallet
# A container's own loopback is reached by nobody; what is reachable from outside is decided by what is published.
# The memory settings are those of .cargo/config.toml, which has the reason.
ENV MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=262144
ENV HOST=0.0.0.0 KEYS_DIR=/var/lib/wallet/keys LOG_FORMAT=json
USER wallet

FROM runtime AS identity-service
COPY --from=build /out/identity-service /usr/local/bin/
ENV PORT=3001
EXPOSE 3001
HEALTHCHECK --interval=5s --timeout=4s --start-period=60s --retries=3 \
    CMD ["curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:3001/health/ready"]
ENTRYPOINT ["identity-service"]

FROM runtime AS wallet-service
COPY --from=build /out/wallet-service /usr/local/bin/
ENV PORT=3002
EXPOSE 3002
HEALTHCHECK --interval=5s --timeout=4s --start-period=60s --retries=3 \
    CMD ["curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:3002/health/ready"]
ENTRYPOINT ["wallet-service"]

FROM runtime AS transaction-service
COPY --from=build /out/transaction-service /usr/local/bin/
ENV PORT=3003
EXPOSE 3003
HEALTHCHECK --interval=5s --timeout=4s --start-period=60s --retries=3 \
    CMD ["curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:3003/health/ready"]
ENTRYPOINT ["transaction-service"]

FROM runtime AS admin-service
COPY --from=build /out/admin-service /usr/local/bin/
ENV PORT=3004
EXPOSE 3004
HEALTHCHECK --interval=5s --timeout=4s --start-period=60s --retries=3 \
    CMD ["curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:3004/health/ready"]
ENTRYPOINT ["admin-service"]

# Stands in for the banks; never deployed beside real money.
FROM runtime AS provider-twin
COPY --from=build /out/provider-twin /usr/local/bin/
ENV PORT=4010
EXPOSE 4010
HEALTHCHECK --interval=5s --timeout=4s --start-period=30s --retries=3 \
    CMD ["curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:4010/health/live"]
ENTRYPOINT ["provider-twin"]

# Creates and migrates all four databases, then ends.
FROM runtime AS migrate
COPY --from=build /out/identity-service /out/wallet-service /out/transaction-service /out/admin-service /usr/local/bin/
COPY --chmod=0755 docker/migrate.sh /usr/local/bin/migrate
ENTRYPOINT ["migrate"]
