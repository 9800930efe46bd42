// Package scaffold writes what a service's repository needs for its releases: connect2.yaml, and the workflows that call the toolkit's.
// The names come from Terraform's outputs, from services that run, or from a few answers. It shows what it would write, as a difference
// where a file is there, and writes it where that is asked for. Carried out twice, it finds nothing to do the second time.
package scaffold
