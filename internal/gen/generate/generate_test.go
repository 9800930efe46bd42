package main

import (
	"context"
	"go/format"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/org/connect2/v2/internal/catalog/all"
	"github.com/org/connect2/v2/pkg/action"
)

// TestGeneratedFilesAreUpToDate fails when a struct was changed and `go generate ./...` was not run.
func TestGeneratedFilesAreUpToDate(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range append(reference(), causes()) {
		if got, err := os.ReadFile(filepath.Join(root, f.path)); err != nil || string(got) != f.text {
			t.Errorf("%s is not what `go generate ./...` writes (%v)", f.path, err)
		}
	}
	for _, a := range all.Actions() {
		t.Run(a.Meta.Name, func(t *testing.T) {
			files, err := render(root, a)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				got, err := os.ReadFile(filepath.Join(root, f.path))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(f.text, string(got)); diff != "" {
					t.Errorf("%s is not what `go generate ./...` writes (-want +got):\n%s", f.path, diff)
				}
			}
		})
	}
}

// The icons of GitHub's branding that the actions use are Feather's; the colours are GitHub's list.
var colors = []string{"white", "black", "yellow", "blue", "green", "orange", "red", "purple", "gray-dark"}

// TestActionsAreFitForTheMarketplace checks what GitHub checks on publishing, and what help texts need.
func TestActionsAreFitForTheMarketplace(t *testing.T) {
	for _, a := range all.Actions() {
		if n := len([]rune(a.Meta.Description)); n == 0 || n >= 125 {
			t.Errorf("%s: the description has %d characters, want 1 to 124", a.Meta.Name, n)
		}
		if !slices.Contains(colors, a.Meta.Color) || a.Meta.Icon == "" {
			t.Errorf("%s: branding %q in %q: want a Feather icon in one of %v", a.Meta.Name, a.Meta.Icon, a.Meta.Color, colors)
		}
		if len(a.Meta.Examples) == 0 {
			t.Errorf("%s: no example for --help", a.Meta.Name)
		}
		for _, f := range append(a.Inputs(), a.Outputs()...) {
			if !strings.HasSuffix(f.Doc, ".") {
				t.Errorf("%s: %s: the description is not a sentence: %q", a.Meta.Name, f.Name, f.Doc)
			}
		}
		if !slices.ContainsFunc(a.Outputs(), func(f action.Field) bool { return f.Name == "outcome" }) {
			t.Errorf("%s: no output outcome", a.Meta.Name)
		}
	}
}

type inputs struct {
	Cluster string        `input:"cluster" required:"true" doc:"The \"cluster\": a name, or an ARN | whichever."`
	Timeout time.Duration `input:"timeout" default:"10m" max:"6h" alias:"wait-for-minutes(m)" doc:"How long."`
	Mode    string        `input:"mode" enum:"fast,slow" doc:"How."`
	Tags    []string      `input:"tags" required:"true" alias:"labels" doc:"Tags."`
}

type outputs struct {
	action.Outputs
	Digest string `output:"digest" doc:"The <digest>."`
}

func sample(name string) *action.Action {
	return action.Define(action.Meta{Name: name, Description: "It's a: \"test\" #1", Icon: "box", Color: "blue"},
		func(context.Context, *action.Env, inputs) (outputs, error) { return outputs{}, nil })
}

func TestManifest(t *testing.T) {
	for _, test := range []struct{ name, folder, image string }{
		{"probe", "actions/probe", "../../Dockerfile"},
		{rootAction, "", "Dockerfile"},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := t.TempDir()
			write := func(path, text string) {
				t.Helper()
				path = filepath.Join(root, path)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			readme := "# Title\n<!-- inputs -->\nold\n<!-- /inputs -->\nand\n<!-- outputs -->\n<!-- /outputs -->\nend\n"
			write(filepath.Join(test.folder, "README.md"), readme)
			files, err := render(root, sample(test.name))
			if err != nil {
				t.Fatal(err)
			}
			var got map[string]any
			if err := yaml.Unmarshal([]byte(files[0].text), &got); err != nil {
				t.Fatalf("%v in:\n%s", err, files[0].text)
			}
			want := map[string]any{
				"name": "Connect2 " + test.name, "description": `It's a: "test" #1`,
				"branding": map[string]any{"icon": "box", "color": "blue"},
				"inputs": map[string]any{
					"cluster":          map[string]any{"description": `The "cluster": a name, or an ARN | whichever.`, "required": true},
					"timeout":          map[string]any{"description": "How long. At most 6h.", "required": false, "default": "10m"},
					"wait-for-minutes": map[string]any{"description": "The same as timeout, a number of minutes.", "required": false},
					"mode":             map[string]any{"description": "How. One of fast, slow.", "required": false},
					"tags":             map[string]any{"description": "Tags. One per line, or separated by commas. Required.", "required": false},
					"labels":           map[string]any{"description": "The same as tags.", "required": false},
					"events":           map[string]any{"description": common("events"), "required": false},
					"report":           map[string]any{"description": common("report"), "required": false},
				},
				"outputs": map[string]any{
					"outcome":  map[string]any{"description": sample("x").Outputs()[0].Doc},
					"duration": map[string]any{"description": sample("x").Outputs()[1].Doc},
					"digest":   map[string]any{"description": "The <digest>."},
				},
				"runs": map[string]any{"using": "docker", "image": test.image, "args": []any{test.name}},
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("action.yml (-want +got):\n%s", diff)
			}
			wantReadme := "# Title\n<!-- inputs -->\n| input | what it is | default |\n|---|---|---|\n" +
				"| `cluster` | The \"cluster\": a name, or an ARN \\| whichever. | **required** |\n" +
				"| `timeout` | How long. At most 6h. Also accepted as `wait-for-minutes`. | `10m` |\n" +
				"| `mode` | How. One of fast, slow. |  |\n" +
				"| `tags` | Tags. One per line, or separated by commas. Required. Also accepted as `labels`. | **required** |\n" +
				"| `events` | " + common("events") + " |  |\n| `report` | " + common("report") + " |  |\n" +
				"<!-- /inputs -->\nand\n<!-- outputs -->\n| output | what it is |\n|---|---|\n"
			if !strings.HasPrefix(files[1].text, wantReadme) ||
				!strings.HasSuffix(files[1].text, "| `digest` | The &lt;digest&gt;. |\n<!-- /outputs -->\nend\n") {
				t.Errorf("README.md:\n%s\nwant:\n%s", files[1].text, wantReadme)
			}

			// What somebody pinned in runs stays, comments and all; and a second run changes nothing.
			runs := "runs:\n  using: docker\n  # pinned by the release\n  image: docker://ghcr.io/org/connect2@sha256:0\n\n  args: [probe]\n"
			write(filepath.Join(test.folder, "action.yml"), "name: old\n"+runs+"# of the end\nbranding: {}\n")
			files, err = render(root, sample(test.name))
			if err != nil || !strings.HasSuffix(files[0].text, runs+"# of the end\n") || strings.Count(files[0].text, "branding:") != 1 {
				t.Fatalf("%v:\n%s", err, files[0].text)
			}
			write(files[0].path, files[0].text)
			write(files[1].path, files[1].text)
			again, err := render(root, sample(test.name))
			if diff := cmp.Diff(files, again, cmp.AllowUnexported(file{})); err != nil || diff != "" {
				t.Errorf("a second run changes: %v\n%s", err, diff)
			}
		})
	}
}

// TestNewAction looks at what an action gets that has no files yet.
func TestNewAction(t *testing.T) {
	files, err := render(t.TempDir(), sample("ecs-probe"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range files {
		got[f.path] = f.text
	}
	readme := got[filepath.Join("actions", "ecs-probe", "README.md")]
	for _, want := range []string{"# ecs-probe\n", "uses: org/connect2/actions/ecs-probe@v2\n        with:\n          cluster: ",
		"\n          tags: ", "| `digest` |", "| 70 |"} {
		if !strings.Contains(readme, want) {
			t.Errorf("README.md: no %q in:\n%s", want, readme)
		}
	}
	program := got[filepath.Join("cmd", "ecs-probe", "main.go")]
	if formatted, err := format.Source([]byte(program)); err != nil || string(formatted) != program {
		t.Errorf("main.go: %v:\n%s", err, program)
	}
	if !strings.Contains(program, "run.Entry(ecsprobe.Action, os.Args[1:])") {
		t.Errorf("main.go:\n%s", program)
	}
}

func TestReadmeWithoutMarkers(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "actions", "probe"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "actions", "probe", "README.md"), []byte("# Probe\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := render(root, sample("probe")); err == nil || !strings.Contains(err.Error(), "README.md: no <!-- ") {
		t.Errorf("got %v", err)
	}
}

// common returns what an input that every action has is described with.
func common(name string) string {
	for _, f := range sample("x").Inputs() {
		if f.Name == name {
			return f.Doc
		}
	}
	return "there is no input " + name
}
