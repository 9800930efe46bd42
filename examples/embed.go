// Package examples holds the sources of the example service, for the demo and the tests that build an image of them, a
// world for it, and its workflows, for connect2 init.
package examples

import "embed"

// API is the example service as its image holds it, under api/.
//
//go:embed api/alembic.ini api/app/*.py api/migrations/*.py api/migrations/versions/*.py
var API embed.FS

// Several is the scenario of a sandbox with an API, its worker, and a digest that a schedule starts.
//
//go:embed scenarios/several.yaml
var Several []byte

// Workflows are those that call the toolkit's, under api/.github/workflows/.
//
//go:embed api/.github/workflows/ci.yml api/.github/workflows/deploy.yml
//go:embed api/.github/workflows/rollback.yml api/.github/workflows/operate.yml
var Workflows embed.FS
