// Package githubsetup sets GitHub up for releases: the variables, environments, rules on branches and reviewers of the service's
// repository and of the toolkit's. It reads what is there, plans the changes, shows them, and carries them out where that is asked
// for. Carried out twice, it finds nothing to do the second time.
//
// What GitHub's API takes and answers is from its REST documentation: https://docs.github.com/rest/deployments/environments,
// …/rest/deployments/branch-policies, …/rest/actions/variables and …/rest/actions/permissions.
package githubsetup
