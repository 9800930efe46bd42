package tfapply

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/user"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/org/connect2/v2/internal/outlive"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/terraform"
)

// lockOwner says which run is about to lock a state: Terraform's own lock knows no more than a user and a container.
type lockOwner struct {
	Server     string    `json:"server"`
	Repository string    `json:"repository"`
	RunID      string    `json:"run_id"`
	Attempt    string    `json:"run_attempt"`
	Actor      string    `json:"actor"`
	Who        string    `json:"who"` // as Terraform writes it into the lock
	Since      time.Time `json:"since"`
}

// recordSuffix makes the record's key of the lock's.
const recordSuffix = ".run"

func (r lockOwner) url() string {
	return action.GitHub{Server: r.Server, Repository: r.Repository, RunID: r.RunID, RunAttempt: r.Attempt}.RunURL()
}

// objects are the calls of S3 that records and locks need.
type objects interface {
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	DeleteObject(context.Context, *s3.DeleteObjectInput, ...func(*s3.Options)) (*s3.DeleteObjectOutput, error)
}

// locker is the lock of this run's state, where that is in S3 and locked there.
type locker struct {
	state   terraform.S3State
	objects objects
}

// locker finds the lock; it is nil where the state is elsewhere.
func (s *session) locker(ctx context.Context) (*locker, error) {
	state, ok, err := terraform.S3StateOf(s.data, s.in.Workspace)
	if err != nil || !ok || !state.Locked {
		return nil, err
	}
	conn := s.conn
	if conn == nil || conn.Region != state.Region {
		inputs := s.in.Inputs
		inputs.Region = state.Region
		if conn, err = awsconn.Connect(ctx, s.env, inputs); err != nil {
			return nil, err
		}
	}
	// Addressed by path only where an endpoint was set: stand-ins have no host for each bucket.
	client := s3.NewFromConfig(conn.Config, func(o *s3.Options) {
		o.UsePathStyle = s.env.Var("AWS_ENDPOINT_URL") != "" || s.env.Var("AWS_ENDPOINT_URL_S3") != ""
	})
	return &locker{state, client}, nil
}

// who is what Terraform will write into its lock: the user and the host.
func who() string {
	name, host := "", ""
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}

// leaveRecord writes the record before Terraform locks the state, and returns what takes it away. It is a help, not a
// condition: what fails is told and forgotten. A record that is there belongs to a run that holds the lock, or died with it,
// as long as there is a lock; then it is left alone.
func (s *session) leaveRecord(ctx context.Context) (remove func()) {
	if s.env.GitHub.RunID == "" {
		return func() {}
	}
	l, err := s.locker(ctx)
	if err != nil || l == nil {
		if err != nil {
			s.env.Events.Debugf("no record beside the lock: %v", err)
		}
		return func() {}
	}
	g := s.env.GitHub
	mine := lockOwner{g.Server, g.Repository, g.RunID, g.RunAttempt, g.Actor, who(), time.Now().UTC().Truncate(time.Second)}
	if _, held, err := l.read(ctx, l.state.LockKey()); err == nil && held {
		return func() {}
	}
	text, err := json.Marshal(mine)
	if err == nil {
		_, err = l.objects.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &l.state.Bucket, Key: aws.String(l.state.LockKey() + recordSuffix), Body: bytes.NewReader(text),
			ContentType: aws.String("application/json"),
		})
	}
	if awserr.Optional(s.env.Events, "The record of which run locks the state", err) {
		return func() {}
	}
	if err != nil {
		s.env.Events.Debugf("no record beside the lock: %v", err)
	}
	return func() {
		ctx, cancel := outlive.Cleanup(ctx, action.CleanupTime)
		defer cancel()
		if now, ok := l.owner(ctx); !ok || now != mine { // somebody else's by now
			return
		}
		if _, held, err := l.read(ctx, l.state.LockKey()); err != nil || held {
			return // the lock is still there: unlock will want to know whose it is
		}
		if err := l.forget(ctx); err != nil {
			s.env.Events.Debugf("the record beside the lock is left: %v", err)
		}
	}
}

func (l *locker) forget(ctx context.Context) error {
	_, err := l.objects.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &l.state.Bucket, Key: aws.String(l.state.LockKey() + recordSuffix)})
	return err
}

// read returns an object; ok is false where there is none.
func (l *locker) read(ctx context.Context, key string) (text []byte, ok bool, err error) {
	object, err := l.objects.GetObject(ctx, &s3.GetObjectInput{Bucket: &l.state.Bucket, Key: &key})
	if awserr.IsNotFound(err) {
		return nil, false, nil
	} else if err != nil {
		return nil, false, err
	}
	defer object.Body.Close()
	text, err = io.ReadAll(io.LimitReader(object.Body, 1<<20))
	return text, err == nil, err
}

// owner returns the record beside the lock; ok is false where there is none that can be read.
func (l *locker) owner(ctx context.Context) (r lockOwner, ok bool) {
	text, ok, err := l.read(ctx, l.state.LockKey()+recordSuffix)
	if err != nil || !ok || json.Unmarshal(text, &r) != nil {
		return lockOwner{}, false
	}
	return r, r.RunID != ""
}

// holder tells which run holds a lock, or "" where no record fits it.
func (s *session) holder(ctx context.Context, lock terraform.Lock) string {
	l, err := s.locker(ctx)
	if err != nil || l == nil {
		return ""
	}
	r, ok := l.owner(ctx)
	if !ok || r.Who != lock.Who {
		return ""
	}
	return fmt.Sprintf("run %s of %s, started by %s (%s)", r.RunID, r.Repository, r.Actor, r.url())
}
