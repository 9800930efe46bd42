// Package awsconn connects a run to AWS and turns what AWS answers into advice.
//
// [Connect] builds the SDK configuration from the environment, assumes a role with GitHub's OIDC token where one is
// asked for, keeps its credentials fresh for as long as the run lasts, and compares the account before anything else
// happens. [Explain], [Optional], [Outcome] and the Is functions are pure: they read an error and say what it means.
package awsconn
