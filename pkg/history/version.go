package history

import (
	"cmp"
	"context"
	"strings"
	"sync"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/commits"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/taskdef"
)

// Tags that a release puts on the revision that it registers.
const (
	tagImage = "connect2:image-tag"
	tagBy    = "connect2:by"
	tagRun   = "connect2:run"
)

// Version is an option as a person knows it.
type Version struct {
	Option
	Tag    string // of its image, as it was released
	Commit string // that it was released from
	By     string // who released it
	Run    string // URL of the workflow's run that did
}

// VersionOf names an option by the tags of its revision; nil is a revision that cannot be read.
func VersionOf(option Option, revision *taskdef.Revision) Version {
	v := Version{Option: option}
	if revision == nil {
		return v
	}
	v.Tag, v.Commit, v.By, v.Run = revision.Tags[tagImage], revision.Tags[commits.Tag], revision.Tags[tagBy], revision.Tags[tagRun]
	if v.Tag == "" {
		v.Tag = tagIn(revision.Document)
	}
	return v
}

// tagIn returns the tag of the image in the main container, or in the first one, where the document gives one.
func tagIn(doc taskdef.Document) string {
	container, err := doc.Container("")
	if all := doc.Containers(); err != nil && len(all) > 0 {
		container = all[0]
	}
	name, _, pinned := strings.Cut(doc.Image(container), "@")
	if pinned {
		return ""
	}
	_, tag, _ := strings.Cut(arn.Last(name), ":")
	return tag
}

// Describe reads revisions, several at once, by ARN. Those that cannot be read are left out: they are for people to look at, and
// whoever needs one for sure reads it again.
func Describe(ctx context.Context, client taskdef.Client, taskDefinitions []string) map[string]*taskdef.Revision {
	var mu sync.Mutex
	var wg sync.WaitGroup
	found := map[string]*taskdef.Revision{}
	slots := make(chan struct{}, 4)
	for _, name := range taskDefinitions {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if revision, err := taskdef.Describe(ctx, client, name); err == nil {
				mu.Lock()
				defer mu.Unlock()
				found[name] = revision
			}
		})
	}
	wg.Wait()
	return found
}

// Table shows versions: what each is, who released it and when, how its newest deployment that succeeded ended, and what speaks
// against going back to it. target is the ARN of the task definition that is gone back to; "" marks none.
func Table(versions []Version, target string) record.Table {
	table := record.Table{Head: []string{"Revision", "Image tag", "Commit", "Released", "By", "Ended", "Remark"}}
	for _, v := range versions {
		remark := v.Why
		if v.Deployment.TaskDefinition == target {
			remark = "the target"
		}
		table.Rows = append(table.Rows, []record.Text{
			{Text: v.Deployment.Name(), Form: record.Code}, {Text: v.Tag}, {Text: short(v.Commit)}, {Text: v.released()}, {Text: v.by()},
			{Text: strings.ToLower(strings.ReplaceAll(string(v.Deployment.Status), "_", " "))}, {Text: remark}})
	}
	return table
}

// String is a version in one line.
func (v Version) String() string {
	var details []string
	for _, detail := range []string{v.Tag, short(v.Commit), v.released()} {
		if detail != "" {
			details = append(details, detail)
		}
	}
	text := v.Deployment.Name()
	if len(details) > 0 {
		text += " (" + strings.Join(details, ", ") + ")"
	}
	if v.Why != "" {
		text += ": " + v.Why
	}
	return text
}

func (v Version) released() string {
	if v.Deployment.Created.IsZero() {
		return ""
	}
	return v.Deployment.Created.UTC().Format("2006-01-02 15:04 MST")
}

func (v Version) by() string { return cmp.Or(v.By, v.Run) }

// short shortens a commit to what people quote of it; anything else is returned as it is.
func short(commit string) string {
	if len(commit) == 40 && isHex(commit) {
		return commit[:7]
	}
	return commit
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }
