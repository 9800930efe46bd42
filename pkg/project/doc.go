// Package project reads connect2.yaml, which names what a service has in AWS: its cluster, service and repository in each environment.
// Where there is no file, the names follow from the project and the environment.
package project
