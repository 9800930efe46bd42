package hold

import "github.com/org/connect2/v2/pkg/record"

// Unread returns what tells that a service's tags, and so a hold, cannot be read here.
func Unread(events record.Sink) func(error) {
	return func(err error) {
		events.WarnOncef("service tags", "The service's tags cannot be read",
			"whether a rollback put a release on hold is not known, going on without: %v", err)
	}
}
