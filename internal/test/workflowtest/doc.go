// Package workflowtest reads the workflows, examples and runbooks of this repository, and runs what can be run of them here.
package workflowtest
