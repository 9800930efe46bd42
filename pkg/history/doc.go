// Package history reads what was deployed to a service before, and chooses what a rollback goes back to.
//
// It goes by deployments that succeeded, not by revision numbers: the revision before the current one may never have run,
// may be the one that was rolled back from, or may not exist any more. ECS keeps service deployments for 90 days.
package history
