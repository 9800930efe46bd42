// Package terraform reads Terraform's plans and runs its commands: it turns a plan into a review that says first what can go
// wrong, guards what must not be destroyed, fingerprints a plan so that a later one can be told to be the same, and starts
// Terraform such that a cancelled run never loses state.
//
// Source of the formats: Terraform's documentation, "JSON Output Format" (plans) and "Machine-Readable UI" (streams).
package terraform
