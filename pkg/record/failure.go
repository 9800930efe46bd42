package record

// Failure is an error that knows how to be told. It says nothing of how a run ends: that is for whoever the mechanism serves.
type Failure struct {
	Title   string   // the root cause in one short line; empty: the message says all
	Advice  string   // what to do next, in one or two sentences; may be empty
	Finding *Finding // the cause, where it is known
	Err     error    // what was tried, on what, and what came back
}

// Error returns the message of the wrapped error, or the title where there is none.
func (f *Failure) Error() string {
	if f.Err != nil {
		return f.Err.Error()
	}
	return f.Title
}

// Unwrap returns the wrapped error.
func (f *Failure) Unwrap() error { return f.Err }
