package rotation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// vault is Secrets in memory. fail makes a call fail once, before or after it has done its work.
type vault struct {
	values map[string]map[string]string // secret -> token -> value
	labels map[string]map[string][]string
	order  []string // tokens, as they were written
	fail   func(call string) error
}

func newVault() *vault {
	return &vault{
		values: map[string]map[string]string{
			"rds":   {"v1": connection("postgres", "first")},
			"admin": {"a1": "master"},
		},
		labels: map[string]map[string][]string{
			"rds":   {"v1": {current}, "v2": {pending}},
			"admin": {"a1": {current}},
		},
	}
}

func connection(user, password string) string {
	c := Credentials{Host: "db.internal", Port: 5432, Database: "connect2", URL: "postgresql://"}.with(user, password)
	out, _ := json.Marshal(c)
	return string(out)
}

func (v *vault) check(call string) error {
	if v.fail == nil {
		return nil
	}
	return v.fail(call)
}

func (v *vault) Get(_ context.Context, secret, token, label string) (string, error) {
	for t, labels := range v.labels[secret] {
		if slices.Contains(labels, label) && (token == "" || t == token) {
			if value, ok := v.values[secret][t]; ok {
				return value, nil
			}
		}
	}
	return "", ErrNoVersion
}

func (v *vault) Put(_ context.Context, secret, token, value string) error {
	if err := v.check("put"); err != nil {
		return err
	}
	v.values[secret][token] = value
	v.order = append(v.order, token)
	return nil
}

// Written counts in seconds from the version that was there first.
func (v *vault) Written(_ context.Context, secret, label string) (time.Time, error) {
	for token, labels := range v.labels[secret] {
		if slices.Contains(labels, label) {
			return time.Unix(int64(slices.Index(v.order, token)+1), 0), nil
		}
	}
	return time.Time{}, ErrNoVersion
}

func (v *vault) Labels(_ context.Context, secret string) (map[string][]string, bool, error) {
	return v.labels[secret], true, nil
}

func (v *vault) MakeCurrent(_ context.Context, secret, token, from string) error {
	if err := v.check("make current"); err != nil {
		return err
	}
	for t, labels := range v.labels[secret] {
		v.labels[secret][t] = slices.DeleteFunc(labels, func(l string) bool { return l == previous })
	}
	v.labels[secret][from] = []string{previous}
	v.labels[secret][token] = []string{current}
	return nil
}

// begin is what Secrets Manager does before the first step of a rotation.
func (v *vault) begin(token string) Event {
	v.labels["rds"][token] = []string{pending}
	return Event{SecretID: "rds", ClientRequestToken: token}
}

// server is a database that knows users and their passwords.
type server struct{ passwords map[string]string }

func (s *server) connect(_ context.Context, raw string) (Database, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, err
	}
	password, _ := u.User.Password()
	if want, ok := s.passwords[u.User.Username()]; !ok || want != password {
		return nil, fmt.Errorf("password authentication failed for user %q", u.User.Username())
	}
	return session{s}, nil
}

type session struct{ *server }

func (s session) Prepare(_ context.Context, _, user, password string) error {
	s.passwords[user] = password
	return nil
}
func (session) Try(context.Context, string) error { return nil }
func (session) Close(context.Context) error       { return nil }

type fleet struct {
	running    bool
	busyUntil  time.Time
	redeployed []time.Time
}

func (f *fleet) State(context.Context) (bool, bool, error) {
	return f.running, time.Now().Before(f.busyUntil), nil
}
func (f *fleet) Redeploy(context.Context) error {
	f.redeployed = append(f.redeployed, time.Now())
	return nil
}

func newRotator(v *vault, s *server, f *fleet) *Rotator {
	return &Rotator{
		Secrets: v, Connect: s.connect, Service: f,
		AdminSecret: "admin", AdminUser: "postgres", Users: [2]string{"connect2_a", "connect2_b"}, Owner: "connect2_owner",
	}
}

var steps = []string{"createSecret", "setSecret", "testSecret", "finishSecret"}

func rotate(t *testing.T, r *Rotator, event Event) {
	t.Helper()
	for _, step := range steps {
		event.Step = step
		if err := r.Handle(t.Context(), event); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
	}
}

func now(t *testing.T, v *vault) Credentials {
	t.Helper()
	value, err := v.Get(t.Context(), "rds", "", current)
	if err != nil {
		t.Fatal(err)
	}
	var c Credentials
	if err := json.Unmarshal([]byte(value), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheUsersTakeTurnsAndTheOneInUseIsLeftAlone(t *testing.T) {
	v, s, f := newVault(), &server{map[string]string{"postgres": "master"}}, &fleet{running: true}
	r := newRotator(v, s, f)

	users := []string{}
	for i := range 4 {
		before := now(t, v)
		inUse, existed := s.passwords[before.Username]
		rotate(t, r, v.begin(fmt.Sprintf("v%d", i+2)))
		after := now(t, v)
		users = append(users, after.Username)
		if s.passwords[after.Username] != after.Password {
			t.Errorf("rotation %d: the secret's password is not the database's", i+1)
		}
		if existed && s.passwords[before.Username] != inUse {
			t.Errorf("rotation %d changed the password of %s, which running tasks use", i+1, before.Username)
		}
		if !strings.Contains(after.URL, after.Password) || !strings.Contains(after.URL, after.Username) {
			t.Errorf("rotation %d: the url does not belong to the other keys: user %s", i+1, after.Username)
		}
	}
	if want := []string{"connect2_a", "connect2_b", "connect2_a", "connect2_b"}; !slices.Equal(users, want) {
		t.Errorf("users took turns %v, want %v", users, want)
	}
	if len(f.redeployed) != 4 {
		t.Errorf("%d deployments, want one for each of 4 rotations", len(f.redeployed))
	}
}

func TestARotationThatFailsAnywhereIsRepeatedToTheSameEnd(t *testing.T) {
	boom := errors.New("boom")
	for _, call := range []string{"put", "make current"} {
		t.Run(call, func(t *testing.T) {
			v, s, f := newVault(), &server{map[string]string{"postgres": "master"}}, &fleet{running: true}
			r := newRotator(v, s, f)
			failed := false
			v.fail = func(c string) error {
				if c == call && !failed {
					failed = true
					return boom
				}
				return nil
			}
			event := v.begin("v2")
			for _, step := range steps {
				event.Step = step
				err := r.Handle(t.Context(), event)
				if errors.Is(err, boom) {
					if now(t, v).Password != "first" {
						t.Fatal("the secret changed although the step failed")
					}
					err = r.Handle(t.Context(), event)
				}
				if err != nil {
					t.Fatalf("%s: %v", step, err)
				}
			}
			if c := now(t, v); c.Username != "connect2_a" || s.passwords["connect2_a"] != c.Password {
				t.Errorf("the rotation did not arrive: user %s", c.Username)
			}
		})
	}
}

func TestEveryStepCanBeRepeated(t *testing.T) {
	v, s, f := newVault(), &server{map[string]string{"postgres": "master"}}, &fleet{running: true}
	r := newRotator(v, s, f)
	event := v.begin("v2")
	var password string
	for _, step := range steps {
		event.Step = step
		for range 2 {
			if err := r.Handle(t.Context(), event); err != nil {
				t.Fatalf("%s: %v", step, err)
			}
		}
		value := v.values["rds"]["v2"]
		if password != "" && value != password {
			t.Fatalf("%s made another password", step)
		}
		password = value
	}
}

func TestTheDeploymentWaitsForAnotherOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, s := newVault(), &server{map[string]string{"postgres": "master"}}
		start := time.Now()
		f := &fleet{running: true, busyUntil: start.Add(100 * time.Second)}
		rotate(t, newRotator(v, s, f), v.begin("v2"))
		if len(f.redeployed) != 1 || f.redeployed[0].Sub(start) < 100*time.Second || f.redeployed[0].Sub(start) > 116*time.Second {
			t.Errorf("redeployed at %v, want once, within one look after 100 s", f.redeployed)
		}
	})
}

func TestADeploymentThatNeverEndsIsToldAndTheRepeatedStepGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, s := newVault(), &server{map[string]string{"postgres": "master"}}
		f := &fleet{running: true, busyUntil: time.Now().Add(time.Hour)}
		r := newRotator(v, s, f)
		event := v.begin("v2")
		for _, step := range steps[:3] {
			event.Step = step
			if err := r.Handle(t.Context(), event); err != nil {
				t.Fatal(err)
			}
		}
		event.Step = "finishSecret"
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		if err := r.Handle(ctx, event); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v, want the deadline", err)
		}
		if now(t, v).Username != "connect2_a" {
			t.Error("the new password must be in force: it works, and so does the old one")
		}
		time.Sleep(time.Hour)
		if err := r.Handle(t.Context(), event); err != nil || len(f.redeployed) != 1 {
			t.Errorf("repeated: %v, %d deployments, want one", err, len(f.redeployed))
		}
	})
}

func TestAServiceWithoutTasksIsLeftAlone(t *testing.T) {
	v, s, f := newVault(), &server{map[string]string{"postgres": "master"}}, &fleet{}
	rotate(t, newRotator(v, s, f), v.begin("v2"))
	if len(f.redeployed) != 0 {
		t.Error("nothing runs, and yet a deployment was started")
	}
}

func TestWhatDoesNotBelongToTheRotationIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(*vault, *Event)
		want  string
	}{
		"a token that the secret does not have": {func(_ *vault, e *Event) { e.ClientRequestToken = "v9" }, "has no version v9"},
		"a version without the label": {func(v *vault, _ *Event) { v.labels["rds"]["v2"] = []string{"AWSPREVIOUS"} },
			"is not the one being rotated to"},
		"an unknown step": {func(_ *vault, e *Event) { e.Step = "dropSecret" }, "unknown step"},
		"a pending version of another user": {func(v *vault, _ *Event) { v.values["rds"]["v2"] = connection("rdsadmin", "x") },
			"not the one whose turn it is"},
		"a pending version of the user in use": {func(v *vault, _ *Event) { v.values["rds"]["v2"] = connection("postgres", "x") },
			"not the one whose turn it is"},
		"a pending version of another host": {func(v *vault, _ *Event) {
			v.values["rds"]["v2"] = strings.ReplaceAll(connection("connect2_a", "x"), "db.internal", "evil.example")
		}, "leads to another database"},
		"a pending version that is not a connection": {func(v *vault, _ *Event) { v.values["rds"]["v2"] = "secret-text" },
			"is not the JSON of a connection"},
	} {
		t.Run(name, func(t *testing.T) {
			v, s := newVault(), &server{map[string]string{"postgres": "master"}}
			event := v.begin("v2")
			event.Step = "setSecret"
			test.spoil(v, &event)
			err := newRotator(v, s, &fleet{running: true}).Handle(t.Context(), event)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if err != nil && (strings.Contains(err.Error(), "secret-text") || strings.Contains(err.Error(), "master")) {
				t.Errorf("the error shows a secret: %v", err)
			}
			if len(s.passwords) != 1 || s.passwords["postgres"] != "master" {
				t.Error("a password was changed")
			}
		})
	}
}

// Secrets Manager tries a function whose rotation is switched on without rotating at once: testSecret alone, with a pending version
// that has no value. The first secret is the master user's, with which no turn can be tested.
func TestSwitchingRotationOnTestsNothing(t *testing.T) {
	for name, test := range map[string]struct {
		pending string // the pending version's value; "": none
		want    string // of the error
	}{
		"a version without a value":          {"", ""},
		"the current value once more":        {connection("postgres", "first"), ""},
		"the current user, another password": {connection("postgres", "guessed"), "password authentication failed"},
		"a user that nobody has made":        {connection("connect2_a", "x"), "password authentication failed"},
	} {
		t.Run(name, func(t *testing.T) {
			v, s := newVault(), &server{map[string]string{"postgres": "master"}}
			event := v.begin("v2")
			event.Step = "testSecret"
			if test.pending != "" {
				v.values["rds"]["v2"] = test.pending
			}
			connected := 0
			r := newRotator(v, s, &fleet{running: true})
			r.Connect = func(ctx context.Context, url string) (Database, error) {
				connected++
				return s.connect(ctx, url)
			}
			err := r.Handle(t.Context(), event)
			switch {
			case test.want == "" && (err != nil || connected != 0):
				t.Errorf("%d connections, %v", connected, err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
	t.Run("the cache's", func(t *testing.T) {
		v := redisVault("first-token")
		event := v.begin("v2")
		event.Step = "testSecret"
		r := &RedisRotator{Rotator: Rotator{Secrets: v}, Login: func(context.Context, string) error {
			t.Error("logged in")
			return nil
		}}
		if err := r.Handle(t.Context(), event); err != nil {
			t.Error(err)
		}
	})
}

func TestAVersionWithoutAValueNeverBecomesCurrent(t *testing.T) {
	v := newVault()
	event := v.begin("v2")
	event.Step = "finishSecret"
	f := &fleet{running: true}
	err := newRotator(v, &server{}, f).Handle(t.Context(), event)
	if !errors.Is(err, ErrNoVersion) || now(t, v).Password != "first" || len(f.redeployed) != 0 {
		t.Errorf("%v; the current password is %q, %d deployments", err, now(t, v).Password, len(f.redeployed))
	}
}

func TestPasswordsStandInAURLAsTheyAre(t *testing.T) {
	seen := map[string]bool{}
	for range 200 {
		password, err := newPassword()
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`^[A-Za-z0-9]{40}$`).MatchString(password) || url.QueryEscape(password) != password {
			t.Fatalf("a password of the wrong shape, %d long", len(password))
		}
		if seen[password] {
			t.Fatal("the same password twice")
		}
		seen[password] = true
	}
}
