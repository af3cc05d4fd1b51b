# An app's image with envoy-wait as its entrypoint. In this directory:
#
#   docker build -f Dockerfile.app -t registry.example.com/shop:1.0 .

# Add the digest from the notes of the release: 0.9.0@sha256:...
FROM ghcr.io/envoy-wait/envoy-wait:0.9.0 AS envoy-wait

# Stands for whatever builds your app.
FROM docker.io/library/golang:1.26.8-bookworm AS build
COPY app/main.go .
RUN CGO_ENABLED=0 go build -o /app main.go

FROM docker.io/library/debian:12-slim
COPY --from=envoy-wait /envoy-wait /usr/local/bin/
COPY --from=build /app /usr/local/bin/
USER 1000:1000
ENTRYPOINT ["envoy-wait", "--", "app"]
