// Package archtest holds the rules of the module's structure, as tests. `go generate ./...` draws the packages in
// CONTRIBUTING.md from their imports.
package archtest

//go:generate go test -count=1 -run ^TestDrawing$ . -update
