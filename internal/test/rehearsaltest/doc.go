// Package rehearsaltest rehearses the first release of each environment, by the names that Terraform gives out. All of it is a test.
package rehearsaltest
