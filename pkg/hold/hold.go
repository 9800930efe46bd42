// Package hold keeps a service from being released again to what it was rolled back from. The next push to the branch, or a
// re-run of the failed workflow, would otherwise undo the rollback while the one who made it sleeps.
//
// A hold stands in the service's own tags, beside the reason of the rollback: it needs no store of ours, is seen in the
// console, and holds for every workflow and terminal alike.
package hold

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/taskdef"
)

// The tags of a service that tell of its last rollback.
const (
	tagHold   = "connect2:hold"
	tagReason = "connect2:rollback-reason"
	tagAt     = "connect2:rollback-at"
	tagFrom   = "connect2:rollback-from"
	tagTo     = "connect2:rollback-to"
	tagLeft   = "connect2:rollback-left"
	tagBegan  = "connect2:rollback-began"
	tagStep   = "connect2:rollback-step"
	tagBy     = "connect2:rollback-by"
	tagRun    = "connect2:rollback-run"
	tagWhy    = "connect2:hold-reason" // of a hold that somebody set without a rollback
)

// everything is the word that holds back every release. nothing is what a tag says once its hold is lifted: lifting it
// needs no permission beyond that of setting it.
const (
	everything = "all"
	nothing    = "none"
)

// most is how many digests are held at once, the newest first: what fits into a tag's 256 characters.
const most = 3

// Hold is what a service must not be released to.
type Hold struct {
	All     bool     // no release at all
	Digests []string // not these images, newest first; at most three
	Last    Rollback // the newest rollback, which set the first of them
	Why     string   // of a hold of everything that somebody set without a rollback: who, when and why
}

// Rollback is what the tags remember of one. Any of it may be empty.
type Rollback struct {
	From   string // the revision that was left, FAMILY:NUMBER
	To     string // the one that was gone back to
	Left   string // id of the deployment (ecs-svc/…) that was PRIMARY before
	Began  string // id of the deployment that the rollback began; empty where it began none, or its answer was lost
	Step   Step   // how far the rollback has come
	Reason string
	By     string
	Run    string // URL of the workflow's run
	At     time.Time
}

// Step is how far a rollback has come.
type Step string

// The steps of a rollback. It is written down before it changes anything, so that whoever comes after a run that was killed knows
// what it has begun.
const (
	Begun Step = "begun" // it is about to change the service, or has
	Done  Step = "done"  // it has arrived, or has failed and was told
)

// Of reads the hold of a service that was described with its tags.
func Of(service types.Service) Hold {
	tags := map[string]string{}
	for _, tag := range service.Tags {
		tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	h := Hold{Last: Rollback{From: tags[tagFrom], To: tags[tagTo], Left: tags[tagLeft], Began: tags[tagBegan], Step: Step(tags[tagStep]),
		Reason: tags[tagReason], By: tags[tagBy], Run: tags[tagRun]}}
	h.Why = tags[tagWhy]
	h.Last.At, _ = time.Parse(time.RFC3339, tags[tagAt]) // without a time it is told without
	for word := range strings.FieldsSeq(tags[tagHold]) {
		switch {
		case word == everything:
			h.All = true
		case strings.HasPrefix(word, "sha256:"):
			h.Digests = append(h.Digests, word)
		}
	}
	return h
}

// String says what is on hold: "all", digests, or "" for nothing.
func (h Hold) String() string {
	words := h.Digests
	if h.All {
		words = slices.Concat([]string{everything}, words)
	}
	return strings.Join(words, " ")
}

// Refuse returns why an image must not be released to the service, as a *record.Failure, or nil. digest is the image's, or ""
// where it is not known yet, which only a hold of everything refuses.
func (h Hold) Refuse(service, digest string) error {
	i := -1
	if digest != "" {
		i = slices.Index(h.Digests, digest)
	}
	switch {
	case h.All && h.Why != "":
		return refusal("Releases of this service are on hold", fmt.Errorf("service: every release of %s is on hold: %s", service, h.Why))
	case h.All:
		return refusal("Releases of this service are on hold",
			fmt.Errorf("service: every release of %s is on hold since its rollback%s", service, h.Since()))
	case i == 0:
		return refusal("This image was rolled back from", fmt.Errorf("image: %s is on hold for %s, which was rolled back from it%s",
			digest, service, h.Since()))
	case i > 0: // what the tags say is about a later rollback
		return refusal("This image was rolled back from",
			fmt.Errorf("image: %s is on hold for %s, which was rolled back from it", digest, service))
	}
	return nil
}

func refusal(title string, err error) error {
	return &record.Failure{Title: title, Err: err, Advice: "Choose another image; or lift the hold first."}
}

// String tells of the rollback, to be put behind what it is about.
func (r Rollback) String() string {
	var text strings.Builder
	if !r.At.IsZero() {
		text.WriteString(" at " + r.At.UTC().Format("2006-01-02 15:04 MST"))
	}
	if r.By != "" {
		text.WriteString(" by " + r.By)
	}
	if r.Reason != "" {
		text.WriteString(": " + r.Reason)
	}
	if r.Run != "" {
		text.WriteString(" (" + r.Run + ")")
	}
	return text.String()
}

// Without returns the hold once a release of this digest has been allowed.
func (h Hold) Without(digest string) Hold {
	h.All = false
	h.Digests = slices.DeleteFunc(slices.Clone(h.Digests), func(d string) bool { return d == digest })
	return h
}

// With returns the hold with these digests held as well, as the newest. What the service goes back to is not held: somebody
// chose it.
func (h Hold) With(left []string, back map[string]string) Hold {
	var all []string
	for _, digest := range slices.Concat(left, h.Digests) {
		if !slices.Contains(all, digest) && !isValue(back, digest) {
			all = append(all, digest)
		}
	}
	h.Digests = all[:min(len(all), most)]
	return h
}

// Left returns the digests, by container, that ran before and that what the service goes back to does not run: a sidecar that
// both have is not to blame.
func Left(before, back map[string]string) []string {
	var left []string
	for _, digest := range before {
		if !isValue(back, digest) && !slices.Contains(left, digest) {
			left = append(left, digest)
		}
	}
	slices.Sort(left)
	return left
}

func isValue(digests map[string]string, digest string) bool {
	for _, d := range digests {
		if d == digest {
			return true
		}
	}
	return false
}

// Client writes tags; *ecs.Client has it.
type Client interface {
	TagResource(context.Context, *ecs.TagResourceInput, ...func(*ecs.Options)) (*ecs.TagResourceOutput, error)
}

// Set writes a hold, and what is known of the rollback that it is for, into the tags of the service.
func (h Hold) Set(ctx context.Context, client Client, serviceARN string) error {
	tags := h.Last.tags()
	tags[tagHold] = h.value()
	return write(ctx, client, serviceARN, tags)
}

// Write writes what is known of a rollback into the tags of the service, and leaves its hold alone.
func (r Rollback) Write(ctx context.Context, client Client, serviceARN string) error {
	return write(ctx, client, serviceARN, r.tags())
}

func (r Rollback) tags() map[string]string {
	tags := map[string]string{tagFrom: r.From, tagTo: r.To, tagLeft: r.Left, tagBegan: r.Began, tagStep: string(r.Step),
		tagReason: r.Reason, tagBy: r.By, tagRun: r.Run, tagAt: ""}
	if !r.At.IsZero() {
		tags[tagAt] = r.At.UTC().Format(time.RFC3339)
	}
	return tags
}

// apart is how far the clocks of two runs may be apart, and the fraction of a second that a tag leaves out.
const apart = 10 * time.Second

// Ended reports whether the rollback is what ended a deployment of a revision (FAMILY:NUMBER) that began at a moment.
func (r Rollback) Ended(revision string, begun time.Time) bool {
	return r.From == revision && revision != "" && !r.At.Before(begun.Add(-apart))
}

// OwnRelease is the reason of what a release writes down of its own way back. It puts nothing on hold.
const OwnRelease = "its own release took it back"

// Since returns the rollback that a hold is from, as far as the tags still tell of it.
func (h Hold) Since() Rollback {
	if h.Last.Reason == OwnRelease {
		return Rollback{}
	}
	return h.Last
}

// Same reports whether what the tags keep of two rollbacks is of one, at one step.
func (r Rollback) Same(other Rollback) bool {
	at, otherAt := r.At.Truncate(time.Second), other.At.Truncate(time.Second)
	return r.From == other.From && r.To == other.To && r.Left == other.Left && r.Began == other.Began && r.Step == other.Step &&
		at.Equal(otherAt)
}

// Possible returns why a service cannot be tagged, and so not be held, or "": tags need the longer ARN, which names the cluster.
func Possible(serviceARN string) string {
	_, name, found := strings.Cut(serviceARN, ":service/")
	if found && !strings.Contains(name, "/") {
		return "its ARN has the old format without the cluster, and ECS tags only services with the new one"
	}
	return ""
}

// Lift writes what is left of a hold, and leaves alone what the tags tell of the rollback.
func (h Hold) Lift(ctx context.Context, client Client, serviceARN string) error {
	tags := map[string]string{tagHold: h.value()}
	if h.Why != "" && !h.All {
		tags[tagWhy] = ""
	}
	return write(ctx, client, serviceARN, tags)
}

// Place holds back every release from now on, and leaves alone what the tags tell of a rollback. why says who did it, when and why.
func (h Hold) Place(ctx context.Context, client Client, serviceARN, why string) error {
	h.All = true
	return write(ctx, client, serviceARN, map[string]string{tagHold: h.value(), tagWhy: why})
}

// value is the tag's text.
func (h Hold) value() string { return cmp.Or(h.String(), nothing) }

func write(ctx context.Context, client Client, serviceARN string, values map[string]string) error {
	var tags []types.Tag
	for key, value := range values {
		// An empty one too: it takes the place of what an earlier rollback wrote.
		tags = append(tags, types.Tag{Key: aws.String(key), Value: aws.String(taskdef.TagValue(value))})
	}
	if _, err := client.TagResource(ctx, &ecs.TagResourceInput{ResourceArn: aws.String(serviceARN), Tags: tags}); err != nil {
		return fmt.Errorf("tagging service %s: %w", serviceARN, err)
	}
	return nil
}
