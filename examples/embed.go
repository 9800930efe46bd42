// Package examples holds the sources of the example service, for the demo and the tests that build an image of them.
package examples

import "embed"

// API is the example service as its image holds it, under api/.
//
//go:embed api/alembic.ini api/app/*.py api/migrations/*.py api/migrations/versions/*.py
var API embed.FS
