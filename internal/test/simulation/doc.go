// Package simulation looks for histories in which an outcome is not true: the real verbs run in one process and one
// testing/synctest bubble against the sandbox's engine, beside other actors and under faults, and invariants are checked
// against the engine's own state.
//
// A History is plain data. It is generated with shrinking (pgregory.net/rapid), so that a violation is printed as the
// shortest history that shows it, as Go to paste into corpus_test.go. The list known holds what today's code is known to get
// wrong: such a violation is counted and does not fail the test.
//
// What changed the service is kept. Where a run took its deployment back, the same is done again in a second world, in which ECS is
// alone from that moment on: what ECS brings to a good end by itself must not be taken back.
//
// There may be a second service of the same image, which is released together with the first, and schedules that go along
// with a deployment: of a release that is not green everything is as it was, and no schedule runs what was rolled back. The
// corpus has some such histories; RELEASES=1 generates them.
//
// The verbs are driven in verbs_test.go alone, by their arguments, and judged by exit code and outputs alone.
//
//	go test ./internal/test/simulation                 some hundred histories
//	.ci/run simulate                                   2,500 of one seed, for four minutes at most
//	make simulate HISTORIES=100000                     for the night; SURVEY=1 shows every kind of violation
//	make simulate-proof                                planted mutations: is each found?
//	SEED=N go test ./internal/test/simulation          the histories of a seed again
package simulation
