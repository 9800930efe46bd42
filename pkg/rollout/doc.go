// Package rollout starts a deployment of an ECS service and follows it to its end.
//
// What is followed is one deployment, never "the service": a service that the circuit breaker has rolled back is as stable
// as one that runs the new version. The service-deployments API says how a deployment ended; where the account, the region
// or the caller's permissions lack it, the deployments that DescribeServices lists are read instead.
//
// Evaluate says what a snapshot means. Next decides from what was observed what is done, and what is looked at next; both are
// pure functions. Follow is the loop around them: it reads, carries out, and waits. No waiter of the SDK is used: they back off to
// ten minutes and know stability alone.
//
// What changes the service is carried out only on an observation that was made after it was decided: see State.decide. The one
// exception is the last call of a run that is interrupted.
package rollout
