// Package verdicttest holds that a failure tells its root cause once. All of it is a test.
package verdicttest
