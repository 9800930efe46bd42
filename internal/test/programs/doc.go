// Package programs gives tests the programs that they start: those of this module, linked once for all of them, and the AWS CLI without
// the second that each of its starts takes.
package programs
