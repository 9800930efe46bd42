package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/org/connect2/v2"

// layer is a rank in the order of imports.
type layer string

// The floors of the module, from bottom to top, and what stands beside them.
const (
	base   layer = "base"   // small packages that know nothing of the module, for everybody
	ground layer = "ground" // what everything stands on: the record, inputs and outputs, the connection to AWS
	view   layer = "view"   // what reads ECS, for all nouns
	noun   layer = "noun"   // one mechanism of the field each
	edge   layer = "edge"   // what renders a run for people and machines
	verb   layer = "verb"   // one action each
	entry  layer = "entry"  // programs, and what they share

	standIn   layer = "sandbox"   // the AWS stand-in
	support   layer = "support"   // for tests alone
	generator layer = "generator" // programs that write files of this repository, or a release
)

// layers names the layer of each folder; the longest prefix counts. A new package gets its line here.
var layers = map[string]layer{
	"pkg/action":            ground,
	"pkg/action/actiontest": support,
	"pkg/awsconn":           ground,
	"pkg/awscall":           ground,
	"pkg/awserr":            ground,
	"pkg/awserr/awserrtest": support,
	"pkg/clock":             ground,
	"pkg/record":            ground,

	"internal/arn":          base,
	"internal/awscron":      base,
	"internal/backoff":      base,
	"internal/bounded":      base,
	"internal/console":      base,
	"internal/deflate":      base,
	"internal/xz":           base,
	"internal/dockerengine": base,
	"internal/githubapi":    base,
	"internal/lazyregexp":   base,
	"internal/flags":        base,
	"internal/loopback":     base,
	"internal/nearest":      base,
	"internal/sorted":       base,
	"internal/outlive":      base,
	"internal/ownership":    base,
	"internal/regions":      base,
	"pkg/ztoc":              base, // the table of a layer that is loaded lazily, as SOCI reads it
	"pkg/session":           base, // a protocol of its own, for a client and for the stand-in

	"pkg/alarm":   view,
	"pkg/ecsview": view,

	"pkg/taskdef":   noun,
	"pkg/rollout":   noun,
	"pkg/history":   noun,
	"pkg/hold":      noun,
	"pkg/project":   noun,
	"pkg/commits":   noun,
	"pkg/preflight": noun,
	"pkg/bake":      noun,
	"pkg/schedule":  noun,
	"pkg/diagnose":  noun,
	"pkg/oneoff":    noun,
	"pkg/image":     noun,
	"pkg/terraform": noun,
	"pkg/rotation":  noun,

	"pkg/render":  edge,
	"pkg/run":     edge,
	"pkg/verdict": edge,
	"pkg/operate": edge,
	"pkg/fleet":   edge,

	"internal/githubsetup": edge, // reads and sets up the other side of a delivery

	"pkg/ecrpush":     verb,
	"pkg/ecsdeploy":   verb,
	"pkg/ecsrollback": verb,
	"pkg/migrate":     verb,
	"pkg/runtask":     verb,
	"pkg/tfapply":     verb,
	"pkg/release":     verb,
	"pkg/status":      verb,
	"pkg/logs":        verb,
	"pkg/adjust":      verb,
	"pkg/doctor":      verb,
	"pkg/watch":       verb,
	"pkg/reach":       verb,

	"pkg/sandbox": standIn,

	"cmd":              entry,
	"bench":            entry,   // measures; shipped nowhere
	"tools/mutants":    support, // tests the tests
	"tools/planted":    support, // tests the simulation
	"examples":         entry,   // files that the demo builds an image of
	"internal/catalog": entry,
	"internal/demo":    entry,

	"internal/scaffold": entry,
	"internal/cli":      entry,

	"internal/gen":  generator,
	"internal/test": support,
}

// mayImport lists, for each layer, the layers that its packages may import. Packages of one layer may import each other,
// except verbs.
var mayImport = map[layer][]layer{
	base:   {base},
	ground: {base, ground},
	view:   {base, ground, view},
	noun:   {base, ground, view, noun},
	edge:   {base, ground, view, noun, edge},
	verb:   {base, ground, view, noun, edge},
	entry:  {base, ground, view, noun, edge, verb, entry},

	standIn:   {base, standIn},
	generator: {base, ground, view, noun, edge, verb, entry},
	support:   {base, ground, view, noun, edge, verb, entry, standIn, support},
}

// exceptions are imports beyond the table, each for a reason.
var exceptions = map[string][]string{
	"pkg/release":   {"pkg/ecrpush", "pkg/migrate", "pkg/ecsdeploy"}, // it is these three in one process
	"pkg/adjust":    {"pkg/ecsdeploy"},                               // restart --template is a deployment of what runs
	"internal/cli":  {"pkg/sandbox"},                                 // it offers the stand-in to people
	"internal/demo": {"pkg/sandbox"},                                 // it releases to the stand-in
}

// open are imports against the table that are still to go. One that is gone must go here too.
var open = map[string][]string{}

// TestInternalIsInOrder holds that internal/gen has the generators, internal/test what only tests need, and the rest of internal
// what a program under cmd is linked with.
func TestInternalIsInOrder(t *testing.T) {
	all := packages(t)
	shipped := map[string]bool{}
	for _, p := range all {
		if folder, _ := folderOf(p.ImportPath); strings.HasPrefix(folder, "cmd/") {
			for _, path := range p.Deps {
				shipped[path] = true
			}
		}
	}
	for _, p := range all {
		folder, _ := folderOf(p.ImportPath)
		l := layerOf(folder)
		switch {
		case l == support || l == generator:
			if strings.HasPrefix(folder, "internal/") && !strings.HasPrefix(folder, "internal/gen/") &&
				!strings.HasPrefix(folder, "internal/test/") {
				t.Errorf("%s (%s) belongs into internal/test, or internal/gen", folder, l)
			}
			if shipped[p.ImportPath] {
				t.Errorf("%s (%s) is linked into a program under cmd", folder, l)
			}
			if l == generator && p.Name != "main" {
				t.Errorf("%s is not a program: what generates is one, and what it shares with the product stands elsewhere", folder)
			}
		case strings.HasPrefix(folder, "internal/") && !shipped[p.ImportPath]:
			t.Errorf("%s is linked into no program under cmd: internal/test is for what only tests need, internal/gen for generators", folder)
		}
	}
}

// TestTheActionsAreNotACommandLine holds what only people at a terminal need out of the programs that every step on GitHub loads.
func TestTheActionsAreNotACommandLine(t *testing.T) {
	linked := 0
	for _, p := range packages(t) {
		folder, _ := folderOf(p.ImportPath)
		if !strings.HasPrefix(folder, "cmd/") || p.Name != "main" {
			continue
		}
		has := slices.ContainsFunc(p.Deps, func(path string) bool {
			return strings.HasPrefix(path, "github.com/spf13/") || path == module+"/internal/cli"
		})
		switch {
		case has && folder != "cmd/connect2":
			t.Errorf("%s links the command line (internal/cli, cobra): it belongs into cmd/connect2 alone", folder)
		case has:
			linked++
		}
	}
	if linked == 0 {
		t.Error("no program links internal/cli: this test looks for the wrong name")
	}
}

// shippedTags are those that terraform/modules/secret-rotation/build gives: without it the runtime of functions brings net/rpc.
const shippedTags = "lambda.norpc"

func TestTheFunctionIsBuiltWithItsTag(t *testing.T) {
	script, err := os.ReadFile("../../../terraform/modules/secret-rotation/build")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(script), " -tags "+shippedTags+" ") {
		t.Errorf("the build does not give the tag %s", shippedTags)
	}
}

type listed struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
	Deps         []string
	Name         string
}

var list = sync.OnceValues(func() ([]listed, error) {
	if err := openSources(); err != nil {
		return nil, err
	}
	cmd := exec.Command("go", "list", "-tags="+shippedTags, "-json=ImportPath,Name,Imports,TestImports,XTestImports,Deps", module+"/...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, errors.Join(err, errors.New(stderr.String()))
	}
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
})

// openSources opens every source file of the module, because go test may answer from its cache: it knows of the files that the
// test itself opened, and not of those that `go list` looked at.
func openSources() error {
	return filepath.WalkDir("../../..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && entry.Name() != ".." || entry.Name() == "terraform"):
			return fs.SkipDir
		case entry.IsDir() || (!strings.HasSuffix(path, ".go") && entry.Name() != "go.mod"):
			return nil
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		return f.Close()
	})
}

func packages(t *testing.T) []listed {
	t.Helper()
	all, err := list()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// layerOf returns the layer of a folder, or "" where nobody has said.
func layerOf(folder string) layer {
	for {
		if l, ok := layers[folder]; ok {
			return l
		}
		i := strings.LastIndexByte(folder, '/')
		if i < 0 {
			return ""
		}
		folder = folder[:i]
	}
}

// allowed says whether the package in one folder may import the one in another.
func allowed(from, to string) bool {
	if slices.Contains(open[from], to) {
		return true
	}
	for _, exception := range exceptions[from] {
		if to == exception || strings.HasPrefix(to, exception+"/") {
			return true
		}
	}
	family := strings.HasPrefix(to, from+"/") || strings.HasPrefix(from, to+"/")
	if from == to || family && layerOf(to) != edge && layerOf(from) != edge {
		return true // a package and the folders below it are one thing, but for what renders it
	}
	return slices.Contains(mayImport[layerOf(from)], layerOf(to))
}

func folderOf(path string) (string, bool) { return strings.CutPrefix(path, module+"/") }

// TestImportsFollowTheLayers holds the picture true: entry, verbs, edge, nouns, view, ground, and the stand-in apart.
func TestImportsFollowTheLayers(t *testing.T) {
	used := map[string]bool{}
	defer func() {
		for from, list := range open {
			for _, to := range list {
				if !used[from+" "+to] {
					t.Errorf("%s imports %s no more: take it out of open", from, to)
				}
			}
		}
	}()
	for _, p := range packages(t) {
		from, ok := folderOf(p.ImportPath)
		if !ok {
			continue
		}
		if layerOf(from) == "" {
			t.Errorf("%s has no layer: name it in layers", from)
			continue
		}
		for _, path := range p.Imports {
			to, ok := folderOf(path)
			used[from+" "+to] = true
			if ok && !allowed(from, to) {
				t.Errorf("%s (%s) imports %s (%s)", from, layerOf(from), to, layerOf(to))
			}
		}
		for _, path := range append(p.TestImports, p.XTestImports...) {
			to, ok := folderOf(path)
			if ok && !allowed(from, to) && layerOf(to) != standIn && layerOf(to) != support {
				t.Errorf("the tests of %s (%s) import %s (%s)", from, layerOf(from), to, layerOf(to))
			}
		}
	}
}

func TestRules(t *testing.T) {
	for _, test := range []struct {
		from, to string
		want     bool
	}{
		{"pkg/action", "pkg/awsconn", true},
		{"pkg/awsconn", "pkg/taskdef", false},
		{"pkg/awsconn", "internal/arn", true},
		{"pkg/taskdef", "internal/arn", true},
		{"internal/arn", "pkg/awsconn", false},
		{"internal/arn", "pkg/sandbox", false},
		{"pkg/taskdef", "pkg/awsconn", true},
		{"pkg/rollout", "pkg/ecsview", true},
		{"pkg/ecsview", "pkg/rollout", false},
		{"pkg/ecsview", "pkg/awserr", true},
		{"pkg/rollout", "pkg/diagnose", true},
		{"pkg/rollout", "pkg/ecsdeploy", false},
		{"pkg/ecsdeploy", "pkg/migrate", false},
		{"pkg/release", "pkg/migrate", true},
		{"pkg/release", "pkg/ecsrollback", false},
		{"pkg/ecsdeploy", "pkg/sandbox", false},
		{"pkg/sandbox/ecs", "pkg/sandbox/engine", true},
		{"pkg/sandbox/ecs", "pkg/taskdef", false},
		{"pkg/sandbox/ecs", "pkg/awsconn", false},
		{"pkg/sandbox/ecs", "internal/arn", true},
		{"pkg/verdict", "pkg/render", true},
		{"pkg/rollout", "pkg/render", false},
		{"pkg/rollout", "pkg/verdict", false},
		{"pkg/render", "pkg/diagnose", true},
		{"pkg/render", "pkg/ecsdeploy", false},
		{"internal/cli", "pkg/sandbox/wire", true},
		{"cmd/connect2", "pkg/sandbox/wire", false},
		{"cmd/action", "pkg/sandbox", false},
		{"pkg/action", "pkg/action/internal/x", true},
		{"pkg/ecsdeploy", "pkg/action/actiontest", false},
	} {
		if got := allowed(test.from, test.to); got != test.want {
			t.Errorf("allowed(%s, %s) = %v", test.from, test.to, got)
		}
	}
}

// banned must not be in a program that is shipped. A way in is an import that is known to be harmless.
var banned = []struct {
	path    string
	waysIn  []string // packages that may import it
	unless  []string // programs that may hold it
	because string
}{
	{path: "testing", because: "its flags and its weight belong to tests"},
	{path: "net/http/httptest", unless: []string{"cmd/connect2"}, because: "it is for tests; the stand-in may use it"},
	{path: "text/template", waysIn: []string{"html/template", "github.com/spf13/cobra"}, // neither executes one: see TestLinkedBinary
		because: "its executor finds methods by name, which keeps every method of every type in the binary"},
	{path: "html/template", waysIn: []string{"github.com/sethvargo/go-githubactions"},
		because: "it holds text/template; the one way in never executes a template (see TestLinkedBinary)"},
	{path: module + "/pkg/sandbox", unless: []string{"cmd/connect2"}, because: "the stand-in has no place in what runs against AWS"},
	{path: "github.com/johannesboyne/gofakes3", unless: []string{"cmd/connect2"}, because: "it is a part of the stand-in"},
	{path: "github.com/hashicorp/terraform-exec/tfexec", unless: []string{"cmd/connect2", "cmd/tf-apply"},
		because: "Terraform is not in the scratch image"},
	{path: "net/http/pprof", because: "it opens the process to whoever can reach it"},
}

// TestDependencyBudget looks at what every program imports, and through whom.
func TestDependencyBudget(t *testing.T) {
	all := packages(t)
	for _, p := range all {
		folder, _ := folderOf(p.ImportPath)
		if !strings.HasPrefix(folder, "cmd/") || p.Name != "main" {
			continue
		}
		for _, b := range banned {
			if slices.Contains(b.unless, folder) || !slices.Contains(p.Deps, b.path) {
				continue
			}
			for _, via := range importersOf(t, p, b.path) {
				if !slices.Contains(b.waysIn, via) {
					t.Errorf("%s holds %s, through %s: %s", folder, b.path, via, b.because)
				}
			}
		}
	}
}

// importersOf returns the packages of a program that import path.
func importersOf(t *testing.T, program listed, path string) []string {
	t.Helper()
	const pairs = "{{range .Imports}}{{$.ImportPath}} {{.}}\n{{end}}"
	out, err := exec.Command("go", "list", "-tags="+shippedTags, "-deps", "-f", pairs, program.ImportPath).Output()
	if err != nil {
		t.Fatal(err)
	}
	var importers []string
	for line := range strings.Lines(string(out)) {
		if from, to, _ := strings.Cut(strings.TrimSpace(line), " "); to == path {
			importers = append(importers, from)
		}
	}
	return importers
}
