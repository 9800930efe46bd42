package taskdef

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/internal/backoff"
	"github.com/org/connect2/v2/pkg/awserr"
)

// Client is the part of the ECS API that task definitions need. Describe and Register must go through the SDK's own
// client, or one around it: the documents pass through its middleware.
type Client interface {
	DescribeTaskDefinition(context.Context, *ecs.DescribeTaskDefinitionInput, ...func(*ecs.Options)) (*ecs.DescribeTaskDefinitionOutput, error)
	RegisterTaskDefinition(context.Context, *ecs.RegisterTaskDefinitionInput, ...func(*ecs.Options)) (*ecs.RegisterTaskDefinitionOutput, error)
	DeregisterTaskDefinition(context.Context, *ecs.DeregisterTaskDefinitionInput,
		...func(*ecs.Options)) (*ecs.DeregisterTaskDefinitionOutput, error)
}

// TemplateSuffix marks the family that Terraform owns: NAME-template is rendered into NAME, which releases are registered in.
const TemplateSuffix = arn.TemplateSuffix

// ErrNotFound says that a family or revision does not exist.
var ErrNotFound = errors.New("no such task definition")

// IsInactive reports whether a call was refused since the revision that it names was deregistered.
func IsInactive(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && strings.Contains(api.ErrorMessage(), "TaskDefinition is inactive")
}

// ContentTag is the key of the tag that holds the ContentHash of what was sent. A later run compares with it, so that
// defaults that the API fills in, and this package does not know, do not make equal content look different.
const ContentTag = "connect2:content"

// Revision is a registered task definition.
type Revision struct {
	ARN      string
	Family   string
	Number   int
	Active   bool // an INACTIVE revision cannot be newly deployed
	Document Document
	Tags     map[string]string

	// Dropped are the fields that were sent to Register, and that its answer does not give back.
	Dropped []Unknown

	// Untagged is the denial that made Register leave the tags out; nil otherwise.
	Untagged error
}

// Name returns FAMILY:NUMBER.
func (r *Revision) Name() string { return r.Family + ":" + strconv.Itoa(r.Number) }

// Holds reports whether registering the document again would change nothing: see Equal.
func (r *Revision) Holds(d Document) bool {
	if r == nil || r.Family != d.Family() {
		return false
	}
	return r.Tags[ContentTag] == d.ContentHash() || Equal(d, r.Document)
}

// Describe returns a revision, given by ARN, FAMILY:NUMBER, or FAMILY for the newest ACTIVE one. Where it does not exist
// the error is ErrNotFound: the API answers ClientException "Unable to describe task definition." then. Other ClientExceptions
// are errors like any other: a family that cannot be read just now is not one that is not there.
func Describe(ctx context.Context, client Client, ref string) (*Revision, error) {
	var raw []byte
	_, err := client.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{
		TaskDefinition: aws.String(ref),
		Include:        []types.TaskDefinitionField{types.TaskDefinitionFieldTags},
	}, keepRaw(&raw))
	if awserr.IsNotFound(err) {
		return nil, fmt.Errorf("task definition %s: %w (%w)", ref, ErrNotFound, err)
	}
	if err != nil {
		return nil, fmt.Errorf("describing task definition %s: %w", ref, err)
	}
	revision, err := revisionOf(raw)
	if err != nil {
		return nil, fmt.Errorf("reading the description of task definition %s: %w", ref, err)
	}
	return revision, nil
}

// Register registers the document as the family's next revision, with its tags. Tags that the document holds already win.
// Where the caller may register but not tag (ecs:TagResource), it registers without tags and says so in Untagged. What ECS did not take
// of the document is in Dropped.
//
// Registering the same content twice makes two revisions. So a call whose answer was lost is repeated only after a look at what
// the family holds: the revision that it made is returned as if the answer had come.
func Register(ctx context.Context, client Client, d Document, tags map[string]string) (*Revision, error) {
	if d.Family() == "" {
		return nil, errors.New("registering a task definition: the document names no family")
	}
	d = d.Registrable()
	revision, err := register(ctx, client, d.withTags(tags))
	if err != nil && len(tags) > 0 && code(err) == "AccessDeniedException" && strings.Contains(err.Error(), "ecs:TagResource") {
		denied := err
		if revision, err = register(ctx, client, d); err == nil {
			revision.Untagged = denied
		}
	}
	if err != nil {
		return nil, fmt.Errorf("registering a revision of task definition %s: %w", d.Family(), err)
	}
	revision.Dropped = d.dropped(revision.Document)
	return revision, nil
}

// registerTries is how often a revision is registered whose answers are lost, and lookWaits how long is waited before a look.
const registerTries = 4

var lookWaits = backoff.Policy{First: 2 * time.Second, Most: 10 * time.Second, Steady: true}

func register(ctx context.Context, client Client, d Document) (*Revision, error) {
	for try := 1; ; try++ {
		revision, err := registerOnce(ctx, client, d)
		if err == nil || !awserr.IsLost(err) {
			return revision, err
		}
		// What was sent may still be under way.
		if pause := backoff.Pause(ctx, lookWaits.Wait(try)); pause != nil {
			return nil, err
		}
		made, look := madeBefore(ctx, client, d)
		switch {
		case made != nil:
			return made, nil
		case look != nil && !errors.Is(look, ErrNotFound) && !awserr.IsDenied(look), try == registerTries:
			return nil, err // whether it was registered is not known, or it cannot be
		}
	}
}

// lookBack is how many revisions before the newest are looked at for one whose answer was lost: others register theirs meanwhile.
const lookBack = 5

// madeBefore returns the ACTIVE revision that a registration made whose answer was lost: the newest, or an earlier one that has its content
// and its tags, since somebody has registered another one after it. It is nil where there is none.
func madeBefore(ctx context.Context, client Client, d Document) (*Revision, error) {
	newest, err := Describe(ctx, client, d.Family())
	if err != nil || newest.Active && newest.Holds(d) {
		return newest, err
	}
	for n := newest.Number - 1; n > 0 && n >= newest.Number-lookBack; n-- {
		earlier, err := Describe(ctx, client, d.Family()+":"+strconv.Itoa(n))
		switch {
		case errors.Is(err, ErrNotFound): // it was deleted
		case err != nil:
			return nil, err
		case earlier.Active && earlier.Holds(d) && earlier.hasTags(tagsOf(d.root.get("tags"))):
			return earlier, nil
		}
	}
	return nil, nil
}

// hasTags reports whether the revision has all of these tags.
func (r *Revision) hasTags(tags map[string]string) bool {
	for key, value := range tags {
		if there, ok := r.Tags[key]; !ok || there != value {
			return false
		}
	}
	return true
}

// registerOnce registers a revision. It is repeated by itself only while it is throttled: then nothing was registered.
func registerOnce(ctx context.Context, client Client, d Document) (*Revision, error) {
	var raw []byte
	_, err := client.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{ // what the SDK insists on; the body is replaced
		Family:               aws.String(d.Family()),
		ContainerDefinitions: []types.ContainerDefinition{},
	}, sendRaw(d.JSON()), keepRaw(&raw), func(o *ecs.Options) { o.Retryer = throttledAlone{o.Retryer} })
	if err != nil {
		return nil, err
	}
	return revisionOf(raw)
}

// throttledAlone repeats a call that was throttled, and no other.
type throttledAlone struct{ aws.Retryer }

// IsErrorRetryable reports whether the call may be sent again.
func (r throttledAlone) IsErrorRetryable(err error) bool {
	return awserr.IsThrottled(err) && r.Retryer.IsErrorRetryable(err)
}

// withTags returns the document with a tags member, as RegisterTaskDefinition takes it, or as it is where there are none.
func (d Document) withTags(tags map[string]string) Document {
	list := &value{kind: '[', items: append([]*value(nil), d.root.get("tags").list()...)}
	there := tagsOf(d.root.get("tags"))
	for _, key := range sortedKeys(tags) {
		if _, kept := there[key]; !kept {
			tag := (&value{kind: '{'}).with("key", stringValue(key)).with("value", stringValue(tags[key]))
			list.items = append(list.items, tag)
		}
	}
	if len(list.items) == 0 {
		return d
	}
	return Document{root: d.root.with("tags", list)}
}

// Deregister makes a revision INACTIVE: tasks that run go on, new ones cannot start from it. The caller must know that no
// service is on it.
func Deregister(ctx context.Context, client Client, arn string) error {
	_, err := client.DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{TaskDefinition: aws.String(arn)})
	if err != nil {
		return fmt.Errorf("deregistering task definition %s: %w", arn, err)
	}
	return nil
}

// revisionOf reads the answer of Describe or Register.
func revisionOf(raw []byte) (*Revision, error) {
	if raw == nil {
		return nil, errors.New("the answer did not pass through the SDK's middleware")
	}
	d, err := Parse(raw)
	if err != nil {
		return nil, err
	}
	revision := &Revision{ARN: d.ARN(), Document: d, Tags: d.tags, Active: d.text("status") == string(types.TaskDefinitionStatusActive)}
	d.Field("revision", &revision.Number)
	revision.Family = d.Family()
	return revision, nil
}

// code returns the error code of an API error, or "".
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}
