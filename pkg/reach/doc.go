// Package reach takes people to where a service runs: into a container of a task, and through the bastion to the database and to
// Redis. What would keep it from working is found and told before it is tried.
package reach
