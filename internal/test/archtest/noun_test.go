package archtest

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

const (
	awsClients = "github.com/aws/aws-sdk-go-v2/service/"
	github     = "github.com/sethvargo/go-githubactions"
)

// clients are the AWS clients that each noun calls, itself or through the view, by the name of their package. Importing the noun
// must bring no other.
var clients = map[string][]string{
	"pkg/commits":   {},
	"pkg/bake":      {"ecs", "elasticloadbalancingv2"},
	"pkg/taskdef":   {"ecs"},
	"pkg/rollout":   {"ecs"},
	"pkg/history":   {"ecs"},
	"pkg/hold":      {"ecs"},
	"pkg/project":   {},
	"pkg/diagnose":  {"ecs", "cloudwatchlogs"},
	"pkg/oneoff":    {"ecs", "cloudwatchlogs"},
	"pkg/image":     {"ecr"},
	"pkg/preflight": {},
	"pkg/schedule":  {},
	"pkg/terraform": {},
	"pkg/rotation":  {"ecs", "elasticache", "secretsmanager"},
}

// openDeps are packages that a noun still brings along and should not. One that is gone must go here too.
var openDeps = map[string][]string{
	"pkg/preflight": {awsClients + "ecr", awsClients + "ecs"}, // of images and documents, which it asks its questions of
}

// TestNounsBringOnlyTheirOwn holds that somebody who imports a noun gets the AWS clients that it calls, and nothing of GitHub,
// inputs or exit codes.
func TestNounsBringOnlyTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range packages(t) {
		folder, _ := folderOf(p.ImportPath)
		if layerOf(folder) != noun {
			continue
		}
		parent := folder
		for clients[parent] == nil && strings.Count(parent, "/") > 1 {
			parent = parent[:strings.LastIndexByte(parent, '/')]
		}
		calls, ok := clients[parent]
		if !ok {
			t.Errorf("%s has no line in clients", folder)
			continue
		}
		seen[parent] = true
		for _, dep := range foreign(p.Deps, calls) {
			if !slices.Contains(openDeps[parent], dep) {
				t.Errorf("%s depends on %s: it may hold the clients of %q, and nothing of pkg/action or GitHub", folder, dep, calls)
			}
		}
		if folder != parent {
			continue
		}
		for _, client := range calls {
			if !slices.ContainsFunc(append(viewsOf(t, p), p), func(l listed) bool { return slices.Contains(l.Imports, awsClients+client) }) {
				t.Errorf("%s does not use the client of %s: take it out of clients", folder, client)
			}
		}
		for _, dep := range openDeps[folder] {
			if !slices.Contains(p.Deps, dep) {
				t.Errorf("%s depends on %s no more: take it out of openDeps", folder, dep)
			}
		}
	}
	for folder := range maps.Keys(clients) {
		if !seen[folder] {
			t.Errorf("clients: %s is not a noun", folder)
		}
	}
	for folder := range maps.Keys(openDeps) {
		if !seen[folder] {
			t.Errorf("openDeps: %s is not a noun", folder)
		}
	}
}

// viewsOf returns the packages of the view that a package imports.
func viewsOf(t *testing.T, p listed) []listed {
	t.Helper()
	return slices.DeleteFunc(slices.Clone(packages(t)), func(other listed) bool {
		folder, _ := folderOf(other.ImportPath)
		return layerOf(folder) != view || !slices.Contains(p.Imports, other.ImportPath)
	})
}

// foreign returns what does not belong among the dependencies of a noun that calls these clients.
func foreign(deps, calls []string) []string {
	var found []string
	for _, dep := range deps {
		client, isClient := strings.CutPrefix(dep, awsClients)
		switch {
		case dep == github, dep == module+"/pkg/action":
			found = append(found, dep)
		case isClient && !strings.Contains(client, "/") && !slices.Contains(calls, client):
			found = append(found, dep)
		}
	}
	return found
}

func TestForeign(t *testing.T) {
	deps := []string{"fmt", awsClients + "ecs", awsClients + "ecs/types", awsClients + "internal/checksum", awsClients + "sts",
		github, module + "/pkg/action", module + "/pkg/awserr"}
	if got, want := foreign(deps, []string{"ecs"}), []string{awsClients + "sts", github, module + "/pkg/action"}; !slices.Equal(got, want) {
		t.Errorf("foreign %q, want %q", got, want)
	}
}
