// Package bake watches a release after its deployment is complete: its tasks and targets, CloudWatch alarms, the answers of its target
// groups against the hour before, and a probe. It says what is wrong, and compared with what; it changes nothing.
package bake
