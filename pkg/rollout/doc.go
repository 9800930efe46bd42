// Package rollout starts a deployment of an ECS service and follows it to its end.
//
// What is followed is one deployment, never "the service": a service that the circuit breaker has rolled back is as stable
// as one that runs the new version. The service-deployments API says how a deployment ended; where the account, the region
// or the caller's permissions lack it, the deployments that DescribeServices lists are read instead.
//
// Evaluate decides what a snapshot means and touches nothing; Follow fetches, waits and tells. No waiter of the SDK is
// used: they back off to ten minutes and know stability alone.
package rollout
