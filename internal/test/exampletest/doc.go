// Package exampletest runs the example service as its users would: its image in Docker, its database and cache beside it,
// its migrations and its release through the actions, against the sandbox. make example-e2e starts it.
package exampletest
