package fleet

// Tags of a revision that a release of several services has registered.
const (
	ReleaseTag  = "connect2:release"  // which release: the same for all of its services
	ReplacesTag = "connect2:replaces" // the revision that ran before, FAMILY:NUMBER
)
