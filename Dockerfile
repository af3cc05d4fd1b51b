# Nothing but /envoy-wait, to be copied into other images:
#
#   COPY --from=envoy-wait /envoy-wait /usr/local/bin/
FROM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -tags nethttpomithttp2 -ldflags "-s -w -X main.version=${VERSION}" -o /envoy-wait .

FROM scratch
COPY --from=build /envoy-wait /envoy-wait
USER 65532:65532
ENTRYPOINT ["/envoy-wait"]
