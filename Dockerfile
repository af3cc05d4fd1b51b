# Nothing but /envoy-wait, to be copied into other images:
#
#   COPY --from=ghcr.io/envoy-wait/envoy-wait:0.9.0 /envoy-wait /usr/local/bin/
#
# The build stage runs on the machine's own platform and cross-compiles: no
# emulation is needed for any --platform. podman 4 wants to be told which that is:
# --build-arg BUILDPLATFORM=linux/amd64.
# "make pin" adds the digest of this base, and of the one in Dockerfile.distroless.
FROM --platform=$BUILDPLATFORM docker.io/library/golang:1.26.8-bookworm AS build
WORKDIR /src
COPY . .
ARG GOPROXY
ARG VERSION=dev
ARG TARGETOS
ARG TARGETARCH
ARG TARGETVARIANT
# GOARM is the 7 of linux/arm/v7. The flags are those of make build, since there
# they are also measured and tested.
RUN --mount=type=cache,target=/go/pkg/mod \
    --mount=type=cache,target=/root/.cache/go-build \
    GOOS=$TARGETOS GOARCH=$TARGETARCH GOARM=${TARGETVARIANT#v} make build

FROM scratch
ARG VERSION=dev
ARG REVISION=
ARG CREATED=
ARG SOURCE=https://github.com/envoy-wait/envoy-wait
LABEL org.opencontainers.image.title="envoy-wait" \
      org.opencontainers.image.description="Waits until the Envoy sidecar is ready, then becomes the app" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="$SOURCE" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.created="$CREATED"
COPY --from=build /src/bin/envoy-wait /envoy-wait
# Numeric, as runAsNonRoot can only judge a number, and there is no /etc/passwd.
USER 65532:65532
ENTRYPOINT ["/envoy-wait"]
