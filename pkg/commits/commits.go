// Package commits keeps an older commit from replacing a newer one. Runs of a workflow finish in any order: a slow build or a late
// approval would put older code into force, and be green.
//
// A revision carries the commit that it was released from as a tag. How two commits relate is read from a list of the
// repository's commits, which a workflow has where it has a checkout.
package commits

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/org/connect2/v2/pkg/record"
)

// None is the commit of a release that has none: an image that was named, for example.
const None = "none"

// Tag is the tag of a revision that names the commit it was released from.
const Tag = "connect2:commit"

// Order is what an action is told of the order of commits. Its tags are those of inputs of pkg/action.
type Order struct {
	Commit string `input:"commit" doc:"The commit that is released, in full; none for an image whose commit is unknown. Empty: GITHUB_SHA. It is recorded on the revision."`
	List   string `input:"commits" path:"read" doc:"A file with the repository's commits and their parents, as git log --all --format='%H %P' writes it. With it, a run whose commit is an ancestor of the one in force ends as superseded, before anything is changed."`
	Older  bool   `input:"allow-older" default:"false" doc:"Continue even if a newer commit is in force."`
}

// isHash says whether a text is a full hash as git writes it: SHA-1 has 40 digits, SHA-256 has 64.
func isHash(s string) bool {
	if len(s) != 40 && len(s) != 64 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// Problems returns what is wrong with the inputs by themselves.
func (in Order) Problems() []error {
	if in.Commit != "" && in.Commit != None && !isHash(in.Commit) {
		return []error{fmt.Errorf("commit: %q is not a full commit hash, which has 40 or 64 digits: `git rev-parse %[1]s` gives it", in.Commit)}
	}
	return nil
}

// Released returns the commit that is released: that of the input or, where that is empty, the run's own; "" for none.
func (in Order) Released(own string) string {
	switch in.Commit {
	case "":
		return own
	case None:
		return ""
	default:
		return in.Commit
	}
}

// Relation is how the commit that is to be released stands to the one that runs.
type Relation string

// The relations of two commits.
const (
	Same     Relation = "same"     // it is the one that runs
	Newer    Relation = "newer"    // the one that runs is among its ancestors
	Older    Relation = "older"    // it is among the ancestors of the one that runs
	Diverged Relation = "diverged" // neither is an ancestor of the other
	Unknown  Relation = "unknown"  // one of them is not known, or not named
)

// Graph is the commits of a repository and their parents.
type Graph struct {
	index   map[string]int32
	parents [][]int32
	listed  []bool // a commit may be named as a parent alone, in a shallow clone for example
}

// Read reads a list of commits: a line for each, its hash and those of its parents, separated by blanks. Commits may stand in any
// order and more than once.
func Read(r io.Reader) (*Graph, error) {
	g := &Graph{index: map[string]int32{}}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		words := strings.Fields(lines.Text())
		if len(words) == 0 {
			continue
		}
		var parents []int32
		for i, word := range words {
			if !isHash(word) {
				return nil, fmt.Errorf("line %d: %.80q is not a full commit hash; `git log --all --format='%%H %%P'` writes the list", n, word)
			}
			if i > 0 {
				parents = append(parents, g.node(word))
			}
		}
		commit := g.node(words[0])
		g.parents[commit], g.listed[commit] = parents, true
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(g.index) == 0 {
		return nil, errors.New("it lists no commit; `git log --all --format='%H %P'` writes the list")
	}
	return g, nil
}

// node returns the number of a commit.
func (g *Graph) node(commit string) int32 {
	i, known := g.index[commit]
	if !known {
		i = int32(len(g.parents))
		g.index[commit] = i
		g.parents, g.listed = append(g.parents, nil), append(g.listed, false)
	}
	return i
}

// Relation says how a commit that is to be released stands to the one that runs.
func (g *Graph) Relation(released, running string) Relation {
	if released == "" || running == "" {
		return Unknown
	}
	if released == running {
		return Same
	}
	from, known := g.index[released]
	to, there := g.index[running]
	if !known || !there {
		return Unknown
	}
	newer, whole := g.reaches(from, to)
	if newer {
		return Newer
	}
	older, wholeBack := g.reaches(to, from)
	switch {
	case older:
		return Older
	case whole && wholeBack:
		return Diverged
	default:
		return Unknown // the list ends before the two could meet
	}
}

// reaches says whether a commit is among the ancestors of another. whole is false where an ancestor on the way is not listed.
func (g *Graph) reaches(from, ancestor int32) (reached, whole bool) {
	seen := make([]bool, len(g.parents))
	seen[from], whole = true, true
	for queue := []int32{from}; len(queue) > 0; {
		commit := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if commit == ancestor {
			return true, true
		}
		whole = whole && g.listed[commit]
		for _, parent := range g.parents[commit] {
			if !seen[parent] {
				seen[parent] = true
				queue = append(queue, parent)
			}
		}
	}
	return false, whole
}

// Running is the revision that a service is at.
type Running struct {
	Revision string // FAMILY:NUMBER; "" where nothing was released yet
	Commit   string // it was released from; "" where nothing is known of it
}

// Check compares the commit that is to be released with the one that runs. It returns a *record.Failure where the one that runs is
// newer, and another error where the list cannot be read. What cannot be compared is a warning on the sink.
func (in Order) Check(sink record.Sink, released string, running Running) error {
	if in.List == "" || running.Revision == "" {
		return nil
	}
	file, err := os.Open(in.List)
	if err != nil {
		return fmt.Errorf("commits: %w", err)
	}
	defer file.Close()
	graph, err := Read(file)
	if err != nil {
		return fmt.Errorf("commits: %s: %w", in.List, err)
	}
	relation := graph.Relation(released, running.Commit)
	switch {
	case relation == Older && !in.Older:
		return &record.Failure{
			Title: "A newer commit runs already",
			Err: fmt.Errorf("commit: %s is an ancestor of %s, which was released as %s",
				Short(released), Short(running.Commit), running.Revision),
			Advice: "Nothing was changed, and nothing is to be done. To release the older commit all the same: allow-older: true.",
		}
	case relation == Older:
		sink.Warnf("An older commit", "%s is an ancestor of %s, which runs; it is released because allow-older says so",
			Short(released), Short(running.Commit))
	case relation == Diverged:
		sink.Warnf("Another line of commits",
			"%s does not follow from %s, which %s was released from: what is only there is gone with this release",
			Short(released), Short(running.Commit), running.Revision)
	case relation == Unknown:
		sink.Warnf("Order of commits not checked", "whether %s is newer than what runs is not known: %s",
			cmp.Or(Short(released), "this release"), unknown(graph, released, running))
	}
	return nil
}

// unknown says why two commits could not be compared.
func unknown(g *Graph, released string, running Running) string {
	_, known := g.index[released]
	_, there := g.index[running.Commit]
	switch {
	case released == "":
		return "no commit is named, by the input commit or by GITHUB_SHA"
	case running.Commit == "":
		return fmt.Sprintf("%s has no tag %s", running.Revision, Tag)
	case !known:
		return fmt.Sprintf("%s is not in the list of commits", Short(released))
	case !there:
		return fmt.Sprintf("%s, which %s was released from, is not in the list of commits", Short(running.Commit), running.Revision)
	default:
		return "the list of commits does not go back far enough; check out with fetch-depth: 0"
	}
}

// Short is a commit as people write it: its first seven digits.
func Short(commit string) string { return commit[:min(7, len(commit))] }
