# make help lists the targets: first those with ##, which people use, then those with ###.

# The tag, or what comes after it, or 0.0.0 with the commit.
VERSION ?= $(shell git describe --tags --match 'v*' --dirty 2>/dev/null || \
             echo v0.0.0-g$$(git describe --always --exclude '*' --dirty 2>/dev/null || echo none))
# Release flags: static, no paths of this machine, no HTTP/2 (a readiness
# endpoint never needs it, and it would cost 0.4 MB), no symbols.
TAGS    := nethttpomithttp2
LDFLAGS := -s -w -X github.com/envoy-wait/envoy-wait/internal/cli.version=$(VERSION:v%=%)
BUILD   := CGO_ENABLED=0 go build -trimpath -buildvcs=false -tags $(TAGS)
MAX_SIZE := 8400000

# For the images. A docker client alone builds nothing: its engine must answer.
IMAGE    ?= ghcr.io/envoy-wait/envoy-wait:$(VERSION:v%=%)
ENGINE   ?= $(shell docker info >/dev/null 2>&1 && echo docker || echo podman)
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null)
CREATED  ?= $(shell date -u +%Y-%m-%dT%H:%M:%SZ)
# Such as --build-arg GOPROXY=... or --platform linux/arm64.
IMAGE_FLAGS ?=
BUILD_IMAGE = $(ENGINE) build --build-arg VERSION='$(VERSION:v%=%)' --build-arg REVISION='$(REVISION)' \
              --build-arg CREATED='$(CREATED)' $(IMAGE_FLAGS)

RIVALS := bin/rivals
KUSTOMIZE_VERSION := v5.8.2

# Tools, each at one version, built into bin/tools. Of goreleaser, v2.14 to v2.17 write a wrong
# Architecture-Variant into each deb for amd64: github.com/goreleaser/goreleaser/issues/6764.
TOOLS := bin/tools
$(TOOLS)/actionlint:      PACKAGE := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
$(TOOLS)/crane:           PACKAGE := github.com/google/go-containerregistry/cmd/crane@v0.22.1
$(TOOLS)/cyclonedx-gomod: PACKAGE := github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0
$(TOOLS)/golangci-lint:   PACKAGE := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
$(TOOLS)/goreleaser:      PACKAGE := github.com/goreleaser/goreleaser/v2@v2.13.3
$(TOOLS)/govulncheck:     PACKAGE := golang.org/x/vuln/cmd/govulncheck@v1.9.0

.PHONY: help build test proof fuzz e2e e2e-kubernetes cluster-programs e2e-kubernetes-images e2e-release record-kubernetes demo demo-picture docs lint vuln bench rivals release release-notes image image-distroless pin clean

help: ## list the targets
	@sed -nE 's/^([a-z0-9-]+):.* ## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 26
	@printf '\nFor maintainers:\n'
	@sed -nE 's/^([a-z0-9-]+):.* ### /  \1\t/p' $(MAKEFILE_LIST) | expand -t 26

build: ## build the static binary, bin/envoy-wait, and print its size
	@$(BUILD) -ldflags '$(LDFLAGS)' -o bin/envoy-wait .
	@size=$$(wc -c < bin/envoy-wait); echo "bin/envoy-wait: $$size bytes"; \
	 [ "$$(go env GOARCH)" != amd64 ] || [ $$size -le $(MAX_SIZE) ] || { echo "more than $(MAX_SIZE)" >&2; exit 1; }

test: build ## run all tests but those that need containers
	go vet ./...
	go test -count=1 $(TESTFLAGS) . ./probe ./exec ./internal/... ./e2e ./e2e/bench/picture ./e2e/docs ./e2e/faults ./e2e/markdown ./e2e/scuttle

e2e: build ### run the tests of the images, and of the init script: as root
	go test -count=1 -p 1 -timeout 15m $(TESTFLAGS) ./e2e/images ./e2e/legacy

# The programs of the cluster are built once, until their go.mod changes.
CLUSTER := bin/kubernetes
CLUSTER_BUILD = CGO_ENABLED=0 go -C $(<D) build -trimpath -buildvcs=false -o $(CURDIR)/$(CLUSTER)/
CLUSTER_PROGRAMS := $(CLUSTER)/kubelet $(CLUSTER)/istioctl $(CLUSTER)/kustomize

# go test has no stdin: a shell needs the test binary itself.
e2e-kubernetes: cluster-programs $(TOOLS)/crane build ### run the tests on a real Kubernetes: as root, or with E2E_CLUSTER=external
ifeq ($(E2E_CLUSTER),shell)
	go test -c -o $(CLUSTER)/tests ./e2e/kubernetes
	cd e2e/kubernetes && exec $(CURDIR)/$(CLUSTER)/tests
else
	go test -count=1 -timeout 15m -parallel 8 $(TESTFLAGS) ./e2e/kubernetes
endif

e2e-kubernetes-images: build $(CLUSTER)/istioctl ### write the images of these tests into bin/kubernetes/images, for another cluster
	go test -count=1 -run '^$$' ./e2e/kubernetes -write-images

record-kubernetes: cluster-programs build ### measure the policy of deploy/policy, and write that and the versions into docs
	go test -count=1 -parallel 1 -timeout 2h $(TESTFLAGS) -run TestRecord ./e2e/kubernetes -record

cluster-programs:
	@$(MAKE) -qs $(CLUSTER_PROGRAMS) || echo "building into $(CLUSTER), once: Kubernetes and containerd, 12 minutes on 2 cores; Istio's agent and istioctl, 4 minutes; kustomize, 1 minute"
	@$(MAKE) -s $(CLUSTER_PROGRAMS)

$(CLUSTER)/kubelet: e2e/kubernetes/cluster/go.mod
	version() { go -C $(<D) list -m -f '{{.Version}}' $$1; } && \
	kubernetes=$$(version k8s.io/kubernetes) && minor=$${kubernetes#*.} && containerd=$$(version github.com/containerd/containerd/v2) && \
	package=k8s.io/component-base/version && $(CLUSTER_BUILD) -ldflags "-s -w -X $$package.gitVersion=$$kubernetes \
	  -X $$package.gitMajor=1 -X $$package.gitMinor=$${minor%.*} -X $$package.gitTreeState=clean \
	  -X github.com/containerd/containerd/v2/version.Version=$${containerd#v}" tool

$(CLUSTER)/istioctl: e2e/kubernetes/istio/go.mod
	$(CLUSTER_BUILD) -ldflags '-s -w' tool
	install -m 644 "$$(go -C $(<D) list -m -f '{{.Dir}}' istio.io/istio)/tools/packaging/common/envoy_bootstrap.json" $(CLUSTER)/

$(CLUSTER)/kustomize: Makefile
	GOBIN=$(CURDIR)/$(CLUSTER) go install sigs.k8s.io/kustomize/kustomize/v5@$(KUSTOMIZE_VERSION)
	touch $@

proof: build ### every fault for a minute, 1,000 rounds of each race, 10,000 orphans, -race; writes docs/proof.md
	CGO_ENABLED=1 go test -race -count=1 $(TESTFLAGS) . ./probe ./exec ./internal/...
	go test -count=1 $(TESTFLAGS) -run TestOrphans ./e2e -orphans 10000
	go test -count=1 -timeout 30m $(TESTFLAGS) ./e2e/faults -rounds 1000 -wait 60s -docs $(CURDIR)/docs

# Without FUZZTIME=, each target for a minute.
FUZZTIME ?= 60s
fuzz: ### fuzz arguments, environment, URLs and answers
	@for target in ./internal/cli:FuzzArguments ./internal/cli:FuzzEnvironment ./probe:FuzzURL ./probe:FuzzRequest ./probe:FuzzRedact ./probe:FuzzAnswer; do \
	 go test $${target%:*} -run '^$$' -fuzz "^$${target#*:}$$" -fuzztime $(FUZZTIME) || exit 1; \
	done

demo: build ## see the main job: an app that is refused, and the same app behind envoy-wait
	@go build -o bin/ ./e2e/demo
	@go build -o bin/sidecar ./e2e/sidecar/cmd
	@bin/demo bin/envoy-wait bin/sidecar

demo-picture: ### record make demo as docs/demo.svg
	@go build -o bin/picture ./e2e/demo/picture
	@$(MAKE) -s demo >/dev/null 2>&1 # the recording does not show the compiler at work
	$(MAKE) -s demo 2>&1 | bin/picture 'make demo' >docs/demo.svg

lint: $(TOOLS)/golangci-lint $(TOOLS)/actionlint ### gofmt, go vet, golangci-lint, actionlint, and the words of README and docs
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "not gofmt-ed: $$unformatted" >&2; exit 1; }
	go vet ./...
	GOOS=darwin go vet . ./probe ./exec ./internal/... ./e2e/bench/picture ./e2e/demo/... ./e2e/sidecar/...
	$(TOOLS)/golangci-lint run
	$(TOOLS)/actionlint -shellcheck= -pyflakes=
	go test -count=1 -v -run TestBudget ./e2e/words
	go test -count=1 ./e2e/words

$(TOOLS)/%: Makefile
	CGO_ENABLED=0 GOBIN=$(abspath $(TOOLS)) go install -trimpath $(PACKAGE)
	touch $@

# In the source, and in an unstripped twin of the binary: -s blinds govulncheck.
vuln: $(TOOLS)/govulncheck ### look for known vulnerabilities in source and binary: needs the network
	$(BUILD) -o bin/envoy-wait-unstripped .
	@$(TOOLS)/govulncheck -tags $(TAGS) . ./probe ./exec ./internal/... && $(TOOLS)/govulncheck -mode binary bin/envoy-wait-unstripped || \
	 { echo "make vuln: a finding, or no way to https://vuln.go.dev, where the list is; SECURITY.md says what to do with a finding" >&2; exit 1; }

bench: build ### measure beside what else people use, into bin/bench and docs/performance.md (BENCHFLAGS=-quick: a minute, -draw: only draw)
	@PATH="$(CURDIR)/$(RIVALS):$(CURDIR)/$(CLUSTER):$$PATH" go run ./e2e/bench -binary bin/envoy-wait $(BENCHFLAGS)

# One that cannot be had leaves the others, and a build of it by hand, in bin/rivals.
rivals: ### build what make bench and e2e/scuttle compare with, from their sources: needs the network
	@missing=; \
	for package in github.com/kvij/scuttle@d17ea9c436a6 wait4x.dev/v3/cmd/wait4x@07151348d13f github.com/jwilder/dockerize@2b3e41aa277b; do \
	 CGO_ENABLED=0 GOBIN=$(abspath $(RIVALS)) go install -trimpath -ldflags '-s -w' $$package || missing="$$missing $$package"; \
	done; \
	[ -z "$$missing" ] || { echo "make rivals: not built:$$missing. Each needs its Go module, from the proxy of GOPROXY ($$(go env GOPROXY))" \
	 "or, with GOPROXY=direct, by git from its host. A program that you build from its source yourself may lie in $(RIVALS)." >&2; exit 1; }

release: $(TOOLS)/goreleaser $(TOOLS)/cyclonedx-gomod ### make the files of a release in bin/release: binaries, archives, packages, SBOMs, checksums
	$(TOOLS)/goreleaser check --quiet
	PATH="$(abspath $(TOOLS)):$$PATH" VERSION='$(VERSION:v%=%)' TAGS='$(TAGS)' LDFLAGS='$(LDFLAGS)' \
	 $(TOOLS)/goreleaser release --snapshot --clean
	@cd bin/release && find . -mindepth 1 -maxdepth 1 -type d -exec rm -r {} + && rm artifacts.json config.yaml metadata.json && sha256sum --quiet -c SHA256SUMS

release-notes: ### print what the changelog says of VERSION
	@awk -v heading='## [$(VERSION:v%=%)] - 20' '/^## \[|^\[[^]]*\]: / {on = index($$0, heading) == 1; found += on; next} on; END {exit !found}' CHANGELOG.md || \
	 { echo "make release-notes: CHANGELOG.md has no section $(VERSION:v%=%) with the date of the tag" >&2; exit 1; }

e2e-release: $(TOOLS)/goreleaser $(TOOLS)/cyclonedx-gomod $(TOOLS)/crane ### make a release twice, compare the files, and install them: as root
	go test -count=1 -timeout 30m $(TESTFLAGS) ./e2e/release

image: ## build the image to copy from, with docker or podman
	$(BUILD_IMAGE) -f Dockerfile -t $(IMAGE) .

image-distroless: image ## build a base image, distroless with envoy-wait
	$(BUILD_IMAGE) -f Dockerfile.distroless --build-arg ENVOY_WAIT=$(IMAGE) -t $(IMAGE)-distroless .

# The bases that the Dockerfiles name, by tag.
BASES = $(shell sed -nE 's,^FROM (--platform=[^ ]+ )?([^ @$$]+/[^ @]+).*,\2,p' Dockerfile Dockerfile.distroless)

pin: $(TOOLS)/crane ### write the digests of the base images into Dockerfiles and workflows: needs the network
	@for image in $(BASES); do \
	 digest=$$($(TOOLS)/crane digest "$$image") || { echo "make pin: no digest of $$image" >&2; exit 1; }; \
	 echo "$$image@$$digest"; \
	 sed -i -E "s,$$image(@sha256:[0-9a-f]+)?( |$$),$$image@$$digest\2," Dockerfile Dockerfile.distroless .github/workflows/*.yml || exit 1; \
	done

docs: build ### write man page, completions, docs/flags.md and the README's flags, and run the transcripts in README and docs
	go test -count=1 -run TestDocs ./internal/cli -update
	go test -count=1 -run TestTranscripts ./e2e/docs -update

clean: ## remove what was built
	rm -rf bin
