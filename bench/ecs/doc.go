// Package ecs measures deployments to a sandbox: how soon a run notices the end, and with how many calls. All of it is a test.
package ecs
