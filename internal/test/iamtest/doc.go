// Package iamtest holds the IAM policies of the actions, in docs/iam, to what the actions ask of AWS: no permission is
// missing there, none is there in vain, and what the actions do where one is denied is what the policies say.
//
// The tests run each action against the stand-in, in runs that cover what it can do, and read from the journal which
// permissions that took. `go generate ./...` writes the policies from the same runs.
package iamtest

//go:generate go test -count=1 -run "^Test(Polic|Reach|TheModule)" . -update
