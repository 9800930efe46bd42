// Package rotation changes the password of the service's database without a task ever holding one that does not work.
//
// Two users take turns, and an owner role owns everything in the database. A rotation gives the user whose turn it is a
// new password, tries it, makes it the secret's current value, and starts a new deployment, whose tasks read it. The other
// user keeps the password that running tasks have read at their start; it is that user's turn only at the next rotation.
//
// Secrets Manager calls a rotation function four times, with the steps createSecret, setSecret, testSecret and finishSecret,
// and calls again what failed (https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html).
// So each step can be repeated, and until finishSecret nothing that is in use has changed.
package rotation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/org/connect2/v2/internal/outlive"
)

// The staging labels of Secrets Manager.
const (
	current  = "AWSCURRENT"
	pending  = "AWSPENDING"
	previous = "AWSPREVIOUS"
)

// ErrNoVersion is returned by Secrets.Get when the secret has no version with that label or token.
var ErrNoVersion = errors.New("no such version")

// Secrets is what a rotation needs of Secrets Manager.
type Secrets interface {
	// Get returns the value of the version that has the label and, unless token is empty, that is the version token.
	Get(ctx context.Context, secret, token, label string) (string, error)
	// Put writes value as the version token and gives it the label pending.
	Put(ctx context.Context, secret, token, value string) error
	// Labels returns the labels of every version, by token, and whether rotation is switched on for the secret.
	Labels(ctx context.Context, secret string) (labels map[string][]string, rotates bool, err error)
	// Written returns when the version that has the label was written, or ErrNoVersion.
	Written(ctx context.Context, secret, label string) (time.Time, error)
	// MakeCurrent moves the label current to the version token; the version that had it becomes the previous one.
	MakeCurrent(ctx context.Context, secret, token, from string) error
}

// Database is a connection with one user's rights. Close ends it.
type Database interface {
	// Prepare makes the owner role and the user where they are missing, lets the user act as the owner, and sets the password.
	Prepare(ctx context.Context, owner, user, password string) error
	// Try fails unless the connection can work as the owner.
	Try(ctx context.Context, owner string) error
	Close(ctx context.Context) error
}

// Service is the ECS service whose tasks read the secret when they start.
type Service interface {
	// State tells whether the service has tasks to start anew, and whether a deployment is going on.
	State(ctx context.Context) (running, deploying bool, err error)
	// Redeploy starts a deployment of what runs already.
	Redeploy(ctx context.Context) error
}

// Event is what Secrets Manager sends to a rotation function.
type Event struct {
	Step               string
	SecretID           string `json:"SecretId"`
	ClientRequestToken string
}

// Rotator does the steps of a rotation.
type Rotator struct {
	Secrets Secrets
	Connect func(ctx context.Context, url string) (Database, error)
	Service Service

	AdminSecret string    // holds the master password alone
	AdminUser   string    // the master user
	Users       [2]string // those that take turns
	Owner       string    // the role that owns what is in the database
	SSLMode     string    // for the function's own connections; verify-full with RDS's certificates, or require

	Poll time.Duration // between two looks at the service while a deployment goes on; 0 is 15 s
	Logf func(format string, args ...any)
}

// Credentials are the six keys of the secret.
type Credentials struct {
	Username string `json:"username"`
	Password string `json:"password"`
	Host     string `json:"host"`
	Port     int    `json:"port"`
	Database string `json:"database"`
	URL      string `json:"url"`
}

// Handle does one step.
func (r *Rotator) Handle(ctx context.Context, event Event) error {
	return r.handle(ctx, event, work{next: r.nextCredentials, set: r.set, test: r.test})
}

// work is what differs by what holds the password.
type work struct {
	next      func(context.Context, Event) (any, error) // what the pending version is to be, from the current one
	set, test func(context.Context, Event) error
}

func (r *Rotator) handle(ctx context.Context, event Event, own work) error {
	labels, rotates, err := r.Secrets.Labels(ctx, event.SecretID)
	if err != nil {
		return fmt.Errorf("describe secret %s: %w", event.SecretID, err)
	}
	if !rotates {
		return fmt.Errorf("rotation is not switched on for secret %s", event.SecretID)
	}
	stages, ok := labels[event.ClientRequestToken]
	if !ok {
		return fmt.Errorf("secret %s has no version %s: the call does not come from its rotation", event.SecretID, event.ClientRequestToken)
	}
	if has(stages, current) && event.Step != "finishSecret" {
		r.logf("%s: version %s is current already", event.Step, event.ClientRequestToken)
		return nil
	}
	if !has(stages, pending) && !has(stages, current) {
		return fmt.Errorf("version %s of secret %s is not the one being rotated to: it has the labels %v",
			event.ClientRequestToken, event.SecretID, stages)
	}

	var step func(context.Context, Event) error
	switch event.Step {
	case "createSecret":
		step = func(ctx context.Context, event Event) error { return r.create(ctx, event, own.next) }
	case "setSecret":
		step = own.set
	case "testSecret":
		step = func(ctx context.Context, event Event) error { return r.try(ctx, event, own.test) }
	case "finishSecret":
		step = func(ctx context.Context, event Event) error { return r.finish(ctx, event, labels) }
	default:
		return fmt.Errorf("unknown step %q", event.Step)
	}
	if err := step(ctx, event); err != nil {
		return fmt.Errorf("%s: %w", event.Step, err)
	}
	r.logf("%s: done", event.Step)
	return nil
}

// create writes what next makes as the pending version. A repeated call finds one there and leaves it.
func (r *Rotator) create(ctx context.Context, event Event, next func(context.Context, Event) (any, error)) error {
	_, err := r.Secrets.Get(ctx, event.SecretID, event.ClientRequestToken, pending)
	if err == nil {
		return nil
	}
	if !errors.Is(err, ErrNoVersion) {
		return fmt.Errorf("read the pending version: %w", err)
	}
	credentials, err := next(ctx, event)
	if err != nil {
		return err
	}
	value, err := json.Marshal(credentials)
	if err != nil {
		return err
	}
	if err := r.Secrets.Put(ctx, event.SecretID, event.ClientRequestToken, string(value)); err != nil {
		return fmt.Errorf("write the pending version: %w", err)
	}
	return nil
}

// try tests the pending version, where there is something to test. Whoever switches rotation on without rotating at once has
// Secrets Manager call testSecret alone, for a pending version that it makes without a value and removes again
// (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html, RotateImmediately). By then the current
// version is the first one, whose user has no turn: that the function was reached is all that such a call can find out.
func (r *Rotator) try(ctx context.Context, event Event, test func(context.Context, Event) error) error {
	next, err := r.Secrets.Get(ctx, event.SecretID, event.ClientRequestToken, pending)
	if errors.Is(err, ErrNoVersion) {
		r.logf("testSecret: version %s has no value yet: rotation was switched on, and nothing rotates now", event.ClientRequestToken)
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the pending version: %w", err)
	}
	now, err := r.Secrets.Get(ctx, event.SecretID, "", current)
	if err != nil {
		return fmt.Errorf("read the current version: %w", err)
	}
	if next == now {
		r.logf("testSecret: version %s is the current one once more: rotation was switched on, and nothing rotates now", event.ClientRequestToken)
		return nil
	}
	return test(ctx, event)
}

// nextCredentials are those of the user whose turn it is, with a new password.
func (r *Rotator) nextCredentials(ctx context.Context, event Event) (any, error) {
	now, err := r.read(ctx, event.SecretID, "", current)
	if err != nil {
		return nil, err
	}
	password, err := newPassword()
	if err != nil {
		return nil, fmt.Errorf("make a password: %w", err)
	}
	return now.with(r.next(now.Username), password), nil
}

// set gives the pending user the pending password. The user that tasks work with is left alone.
func (r *Rotator) set(ctx context.Context, event Event) error {
	next, err := r.read(ctx, event.SecretID, event.ClientRequestToken, pending)
	if err != nil {
		return err
	}
	now, err := r.read(ctx, event.SecretID, "", current)
	if err != nil {
		return err
	}
	// The pending version is the only input that somebody else could have written. It must not become a way to set the
	// password of another user or to send the administrator's to another host.
	if next.Username == now.Username || next.Username != r.Users[0] && next.Username != r.Users[1] {
		return fmt.Errorf("the pending user %q is not the one whose turn it is: %q", next.Username, r.next(now.Username))
	}
	if next.Host != now.Host || next.Port != now.Port || next.Database != now.Database {
		return fmt.Errorf("the pending version leads to another database than the current one: %s:%d/%s", next.Host, next.Port, next.Database)
	}
	password, err := r.Secrets.Get(ctx, r.AdminSecret, "", current)
	if err != nil {
		return fmt.Errorf("read the master password from %s: %w", r.AdminSecret, err)
	}
	db, err := r.connect(ctx, now.with(r.AdminUser, password))
	if err != nil {
		return err
	}
	defer hangUp(ctx, db)
	if err := db.Prepare(ctx, r.Owner, next.Username, next.Password); err != nil {
		return fmt.Errorf("set the password of %s: %w", next.Username, err)
	}
	return nil
}

// test works as the application will.
func (r *Rotator) test(ctx context.Context, event Event) error {
	next, err := r.read(ctx, event.SecretID, event.ClientRequestToken, pending)
	if err != nil {
		return err
	}
	db, err := r.connect(ctx, next)
	if err != nil {
		return err
	}
	defer hangUp(ctx, db)
	if err := db.Try(ctx, r.Owner); err != nil {
		return fmt.Errorf("work as %s: %w", next.Username, err)
	}
	return nil
}

// closing is what taking back a transaction, and ending a connection, may each last when the time is over.
const closing = time.Second

func hangUp(ctx context.Context, db Database) {
	ctx, cancel := outlive.Cleanup(ctx, closing)
	defer cancel()
	_ = db.Close(ctx)
}

// finish makes the pending version current and starts the tasks anew. Repeated after the first half it does the second.
func (r *Rotator) finish(ctx context.Context, event Event, labels map[string][]string) error {
	if !has(labels[event.ClientRequestToken], current) {
		// A version without a value, which testSecret lets pass, must not become what tasks read.
		if _, err := r.Secrets.Get(ctx, event.SecretID, event.ClientRequestToken, pending); err != nil {
			return fmt.Errorf("read the pending version, which is to become the current one: %w", err)
		}
		from := ""
		for token, own := range labels {
			if has(own, current) {
				from = token
			}
		}
		if err := r.Secrets.MakeCurrent(ctx, event.SecretID, event.ClientRequestToken, from); err != nil {
			return fmt.Errorf("make version %s current: %w", event.ClientRequestToken, err)
		}
	}
	return r.redeploy(ctx)
}

// redeploy waits until no deployment goes on, since a new one would take the place of somebody's release, and starts one.
func (r *Rotator) redeploy(ctx context.Context) error {
	poll := r.Poll
	if poll == 0 {
		poll = 15 * time.Second
	}
	for {
		running, deploying, err := r.Service.State(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("look at the service: %w", err)
		case !running:
			r.logf("the service has no tasks: nothing to start anew")
			return nil
		case !deploying:
			if err := r.Service.Redeploy(ctx); err != nil {
				return fmt.Errorf("start the tasks anew: %w", err)
			}
			return nil
		}
		r.logf("a deployment is going on: waiting")
		select {
		case <-ctx.Done():
			return fmt.Errorf("a deployment was still going on when the time was over; the new password is in force and running tasks keep the "+
				"old one, which works until the next rotation: %w", ctx.Err())
		case <-time.After(poll):
		}
	}
}

func (r *Rotator) connect(ctx context.Context, c Credentials) (Database, error) {
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, fmt.Errorf("the url of user %s cannot be read", c.Username) // without the error: it quotes the URL
	}
	if r.SSLMode != "" {
		u.RawQuery = url.Values{"sslmode": {r.SSLMode}}.Encode()
	}
	db, err := r.Connect(ctx, u.String())
	if err != nil {
		return nil, fmt.Errorf("connect to %s:%d as %s: %w", c.Host, c.Port, c.Username, err)
	}
	return db, nil
}

func (r *Rotator) read(ctx context.Context, secret, token, label string) (Credentials, error) {
	value, err := r.Secrets.Get(ctx, secret, token, label)
	if err != nil {
		return Credentials{}, fmt.Errorf("read %s of %s: %w", label, secret, err)
	}
	var c Credentials
	if err := json.Unmarshal([]byte(value), &c); err != nil {
		return Credentials{}, fmt.Errorf("%s of %s is not the JSON of a connection", label, secret) // without the error: it may quote the value
	}
	if c.Username == "" || c.Host == "" || c.Port == 0 || c.Database == "" {
		return Credentials{}, fmt.Errorf("%s of %s lacks username, host, port or database", label, secret)
	}
	return c, nil
}

// next returns whose turn it is after user. Before the first rotation that is the master user, who has no turn.
func (r *Rotator) next(user string) string {
	if user == r.Users[0] {
		return r.Users[1]
	}
	return r.Users[0]
}

func (r *Rotator) logf(format string, args ...any) {
	if r.Logf != nil {
		r.Logf(format, args...)
	}
}

// with returns the credentials of another user of the same database, with the URL that belongs to them.
func (c Credentials) with(user, password string) Credentials {
	scheme := "postgresql"
	if before, _, ok := strings.Cut(c.URL, "://"); ok {
		scheme = before
	}
	c.Username, c.Password = user, password
	u := url.URL{Scheme: scheme, User: url.UserPassword(user, password), Host: net.JoinHostPort(c.Host, strconv.Itoa(c.Port)),
		Path: c.Database}
	c.URL = u.String()
	return c
}

func has(labels []string, label string) bool {
	for _, l := range labels {
		if l == label {
			return true
		}
	}
	return false
}
