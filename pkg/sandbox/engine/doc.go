// Package engine is the sandbox's model of Amazon ECS with Fargate services: clusters, task definitions, services with
// their deployments, and tasks. It knows no HTTP and no AWS protocol.
//
// The engine is a deterministic state machine. Every change that is due later is an entry of one heap, ordered by
// virtual time and then by the order of planning; Advance runs what is due. There are no goroutines and no timers, and
// every identifier comes from a seeded generator: one seed and one sequence of calls give one history.
//
// Texts and orders follow the ECS developer guide, the API model of 2014-11-13, and outputs that users published. A rule says where it
// is from: "developer guide, NAME" is docs.aws.amazon.com/AmazonECS/latest/developerguide/NAME.html, "API model" the documentation in
// botocore's service model ecs/2014-11-13, "measured" what published outputs of Fargate services show. What nobody confirmed is marked
// "unconfirmed" where it is written; nothing else in the repository may rest on it.
//
// Not modelled: EC2, EXTERNAL and managed instances, daemons, task sets, Classic Load Balancers, service connect and
// discovery beyond keeping their settings, placement, dependsOn between containers, Lambda hooks, AZ rebalancing, and the
// listener rules that shift traffic (staged deployments show their weights, the load balancer does not).
//
// An Engine is not safe for concurrent use: its holder serialises the calls.
package engine
