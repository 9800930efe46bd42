// Package ecsview reads Amazon ECS: services and their deployments and events, service deployments and revisions, tasks, and the
// health of their targets behind a load balancer. It is the one place that asks for them, so that everybody who follows,
// explains, lists or shows a service means the same by a deployment, a task, and a failure.
//
// What comes in pages is read to its end, and what the API takes in batches is asked for in batches. The package decides nothing
// and changes nothing.
package ecsview
