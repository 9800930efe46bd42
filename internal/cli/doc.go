// Package cli is the command line of connect2: the tree of its commands, their help, completion and suggestions. What a command does
// stands in a package of its own; one that an action describes has its flags, help and reference from the action's structs.
package cli
