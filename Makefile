# Short names for what is typed often. Each target is one command that works without make as well.
GO ?= go
# Static, stripped, and the same bytes wherever it is built.
BUILD = CGO_ENABLED=0 $(GO) build -trimpath -ldflags='-s -w'

.PHONY: help
help: ## Say what there is
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

.PHONY: build
build: ## Build every binary into bin/
	$(BUILD) -o bin/ ./cmd/...

.PHONY: mutants
mutants: ## Change each deciding file in one place at a time: does a test notice? (minutes)
	$(GO) run ./tools/mutants

.PHONY: gremlins
gremlins: ## The same by go-gremlins, over the packages that decide; it knows fewer changes and takes an hour
	tools/gremlins/run

.PHONY: demo
demo: ## A whole release against the embedded AWS stand-in
	$(GO) run ./cmd/connect2 demo

.PHONY: test
test: ## The tests of every package
	$(GO) test ./...

.PHONY: race
race: ## The same under the race detector
	$(GO) test -race ./...

.PHONY: fuzz
fuzz: ## Every fuzz target by turns, for a minute in all; what it finds becomes a test
	test/fuzz/run

.PHONY: simulate
simulate: ## Simulate HISTORIES histories (10000); SURVEY=1 prints every kind of violation instead of the first
	HISTORIES=$(or $(HISTORIES),10000) $(GO) test -count=1 -timeout 24h -v -run ^TestHistories$$ ./internal/test/simulation

.PHONY: simulate-proof
simulate-proof: ## Plant mutations in the code that decides: does the simulation find each? (an hour)
	$(GO) run ./tools/planted

.PHONY: lint
lint: ## gofmt, vet, golangci-lint, actionlint, and zizmor where it is installed
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	$(GO) tool -modfile=tools/golangci-lint/go.mod golangci-lint run
	$(GO) tool -modfile=tools/actionlint/go.mod actionlint
	@! command -v zizmor >/dev/null || zizmor --offline --quiet --no-progress .

.PHONY: generate
generate: ## Write action.yml files, README tables and IAM policies anew
	$(GO) generate ./...

.PHONY: terraform-test
terraform-test: ## Every Terraform module and environment, with mocks
	terraform/test/run

.PHONY: terraform-changes
terraform-changes: ## The rules of an environment with each of terraform/test/changes, one value after the other (minutes)
	CHANGES=all terraform/test/run dev

.PHONY: terraform-lint
terraform-lint: ## tflint
	terraform/test/lint

.PHONY: terraform-scan
terraform-scan: ## Trivy's configuration checks; the first build takes a minute or two
	terraform/test/scan

.PHONY: terraform-apply
terraform-apply: ## A full apply of all environments to both emulators, as far as they are there (MINISTACK names its program)
	terraform/test/apply moto
	terraform/test/apply ministack

.PHONY: terraform-examples
terraform-examples: ## The modules' examples, each from its module alone, applied to moto
	terraform/test/examples

.PHONY: terraform-docs
terraform-docs: ## The tables of the modules' READMEs
	terraform/test/docs

.PHONY: judges
judges: ## Have the AWS CLI drive the sandbox in full
	CONNECT2_E2E=1 $(GO) test -count=1 ./pkg/sandbox

.PHONY: database-e2e
database-e2e: ## A real psql and redis-cli through the bastion to servers of Debian's packages, with a copy of 200 MB
	CONNECT2_DATABASE=1 $(GO) test -count=1 -v -run ThroughTheBastion ./pkg/reach

.PHONY: session-judge
session-judge: ## Have AWS's session-manager-plugin, built from its public module, talk to the sandbox's sessions
	CONNECT2_PLUGIN=1 $(GO) test -count=1 -v -run TestAWSPlugin ./pkg/sandbox

.PHONY: pulls
pulls: ## What is pushed, pulled by skopeo, containerd and crane from Debian's registry: both codecs, every source form, SOCI; needs root
	CONNECT2_PULLS=1 $(GO) test -count=1 -v -run '^TestPulls$$' ./pkg/image

.PHONY: workflows
workflows: ## The workflows by act, and the containers' ends; needs Docker
	test/act/run

.PHONY: example-e2e
example-e2e: ## The example's image, its migrations and its release on a real database; needs Docker, PostgreSQL and Redis
	$(GO) test -count=1 -tags e2e -timeout 15m ./internal/test/exampletest

.PHONY: bench
bench: ## Deployments beside AWS's waiters, and 200 at once; pushes beside crane and skopeo; tf-apply beside bare Terraform (minutes)
	$(GO) test -v -count=1 ./bench/ecs -args -services 200 -rollouts 100
	$(GO) run ./bench/push
	bench/terraform/overhead
	bench/terraform/run
	bench/terraform/memory

.PHONY: ci
ci: ## What a change must pass
	.ci/run

.PHONY: tf-e2e
tf-e2e: ## Cancel applies at fifty moments; the real AWS provider too, where CONNECT2_TERRAFORMRC names a CLI configuration
	$(GO) test -tags e2e -run TestCancel -timeout 20m -v ./pkg/tfapply

.PHONY: tofu
tofu: ## The tests of tf-apply with OpenTofu; its first build takes minutes
	test/tofu/run
