package release_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/commits"
	"github.com/org/connect2/v2/pkg/migrate"
	"github.com/org/connect2/v2/pkg/release"
)

// TestAnOlderCommitChangesNothing holds that the order of commits is looked at before the push and the migration, by a release and
// by a migration of its own.
func TestAnOlderCommitChangesNothing(t *testing.T) {
	at(t, func(s *site) {
		older, newer := strings.Repeat("a", 40), strings.Repeat("b", 40)
		list := filepath.Join(s.T.TempDir(), "commits")
		if err := os.WriteFile(list, []byte(newer+" "+older+"\n"+older+"\n"), 0o600); err != nil {
			s.T.Fatal(err)
		}
		in := inputs(s.image("v2", ""))
		in.Order = commits.Order{Commit: newer, List: list}
		if _, err := release.Run(s.T.Context(), s.Env, in); err != nil {
			s.T.Fatal(err)
		}
		changes := len(s.Mutations())
		in = inputs(s.image("v1", ""))
		in.Push.Tags, in.Order = []string{"v1"}, commits.Order{Commit: older, List: list}
		_, err := release.Run(s.T.Context(), s.Env, in)
		if action.OutcomeOf(err) != action.Superseded || !strings.Contains(err.Error(), "is an ancestor of bbbbbbb") {
			s.T.Errorf("the release: %v", err)
		}
		_, err = migrate.Run(s.T.Context(), s.Env, migrate.Inputs{
			Cluster: in.Cluster, Service: in.Service, Image: "v2", Command: in.Migration.Command, Timeout: in.Migration.Timeout,
			Order: in.Order,
		})
		if action.OutcomeOf(err) != action.Superseded {
			s.T.Errorf("the migration: %v", err)
		}
		if got := s.Mutations()[changes:]; len(got) > 0 {
			s.T.Errorf("changed by %v", got)
		}
	})
}
