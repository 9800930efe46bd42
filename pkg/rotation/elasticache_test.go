package rotation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/google/go-cmp/cmp"
)

const groupID = "connect2-api-redis-prod"

// elastiCache answers ElastiCache's query protocol for one group, on the clock of the bubble. A change takes takes; right
// after it was asked for, the group still calls itself available and shows it as pending, as the real one was seen to do.
type elastiCache struct {
	tokens []string // oldest first
	takes  time.Duration

	adding     string    // by the change in hand
	since      time.Time // when that was asked for
	otherUntil time.Time // somebody else's change
	surprise   bool      // somebody else's change begins between the next look and the next change
	fault      string    // the code that every change is refused with

	changes []url.Values
	looks   int
}

func (e *elastiCache) group() ReplicationGroup {
	return ReplicationGroup{ID: groupID, Client: elasticache.NewFromConfig(aws.Config{
		Region: "us-west-2", Credentials: credentialsFor("key"), HTTPClient: &http.Client{Transport: transport(e.answer)},
	})}
}

// status runs what is due by now, and tells how the group looks.
func (e *elastiCache) status() (status, pending string) {
	if e.adding != "" && time.Since(e.since) >= e.takes {
		e.tokens, e.adding = rotated(e.tokens, e.adding), ""
	}
	switch {
	case time.Now().Before(e.otherUntil):
		return "modifying", ""
	case e.adding != "" && time.Since(e.since) < 20*time.Second:
		return "available", "ROTATING"
	case e.adding != "":
		return "modifying", "ROTATING"
	}
	return "available", ""
}

func (e *elastiCache) answer(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	status, pending := e.status()
	group := fmt.Sprintf(`<ReplicationGroup><ReplicationGroupId>%s</ReplicationGroupId><Status>%s</Status><PendingModifiedValues>`, groupID, status)
	if pending != "" {
		group += "<AuthTokenStatus>" + pending + "</AuthTokenStatus>"
	}
	group += "</PendingModifiedValues></ReplicationGroup>"

	switch action := form.Get("Action"); action {
	case "DescribeReplicationGroups":
		e.looks++
		if form.Get("ReplicationGroupId") != groupID {
			return refusal("ReplicationGroupNotFoundFault"), nil
		}
		return result(action, "<ReplicationGroups>"+group+"</ReplicationGroups>"), nil
	case "ModifyReplicationGroup":
		e.changes = append(e.changes, form)
		if e.surprise {
			e.surprise, e.otherUntil = false, time.Now().Add(40*time.Second)
			status = "modifying"
		}
		switch {
		case e.fault != "":
			return refusal(e.fault), nil
		case status != "available" || pending != "":
			return refusal("InvalidReplicationGroupState"), nil
		case form.Get("AuthTokenUpdateStrategy") != "ROTATE":
			return refusal("InvalidParameterCombination"), nil
		}
		e.adding, e.since = form.Get("AuthToken"), time.Now()
		return result(action, group), nil
	default:
		return nil, fmt.Errorf("unexpected action %s", action)
	}
}

func result(action, inner string) *http.Response {
	return answer(http.StatusOK, fmt.Sprintf(`<%[1]sResponse xmlns="http://elasticache.amazonaws.com/doc/2015-02-02/"><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>`, action, inner))
}

func refusal(code string) *http.Response {
	return answer(http.StatusBadRequest, `<ErrorResponse xmlns="http://elasticache.amazonaws.com/doc/2015-02-02/"><Error><Type>Sender</Type><Code>`+code+`</Code><Message>refused</Message></Error><RequestId>r</RequestId></ErrorResponse>`)
}

// added are the tokens of the changes that were asked for, each of which must say just this.
func (e *elastiCache) added(t *testing.T) (tokens []string) {
	t.Helper()
	for _, form := range e.changes {
		tokens = append(tokens, form.Get("AuthToken"))
		want := url.Values{
			"Action": {"ModifyReplicationGroup"}, "Version": {"2015-02-02"}, "ReplicationGroupId": {groupID}, "ApplyImmediately": {"true"},
			"AuthToken": {form.Get("AuthToken")}, "AuthTokenUpdateStrategy": {"ROTATE"},
		}
		if diff := cmp.Diff(want, form); diff != "" {
			t.Error(diff)
		}
	}
	return tokens
}

// rotator is one whose Redis is behind the stand-in: it knows the tokens that are valid by now.
func (e *elastiCache) rotator(v *vault) *RedisRotator {
	return &RedisRotator{Rotator: Rotator{Secrets: v, Service: &quietService{}}, Cache: e.group(),
		Login: func(_ context.Context, raw string) error {
			u, err := url.Parse(raw)
			if err != nil {
				return err
			}
			e.status()
			if token, _ := u.User.Password(); !slices.Contains(e.tokens, token) {
				return ErrWrongToken
			}
			return nil
		}}
}

func redisVault(token string) *vault {
	v := newVault()
	v.values["rds"]["v1"] = redisValue(6379, token)
	return v
}

// allSteps does one rotation and returns the token that it made.
func allSteps(t *testing.T, r *RedisRotator, v *vault, version string) string {
	t.Helper()
	event := v.begin(version)
	for _, event.Step = range steps {
		if err := r.Handle(t.Context(), event); err != nil {
			t.Fatalf("%s: %v", event.Step, err)
		}
	}
	c, err := r.read(t.Context(), "rds", version, current)
	if err != nil {
		t.Fatal(err)
	}
	return c.Password
}

func TestATokenIsAddedOnceAndWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &elastiCache{tokens: []string{"the-first-token"}, takes: 100 * time.Second}
		v := redisVault("the-first-token")
		r, start := e.rotator(v), time.Now()
		next := allSteps(t, r, v, "v2")
		if took := time.Since(start); took < 100*time.Second || took > 116*time.Second {
			t.Errorf("the rotation took %v; the change took 100 s, and a look is made every 15 s", took)
		}
		if diff := cmp.Diff([]string{next}, e.added(t)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"the-first-token", next}, e.tokens); diff != "" {
			t.Error(diff)
		}
		if e.looks > 12 {
			t.Errorf("%d looks in 100 s", e.looks)
		}
		last := allSteps(t, r, v, "v3")
		if diff := cmp.Diff([]string{next, last}, e.tokens); diff != "" {
			t.Error(diff)
		}
	})
}

func TestNoTokenIsAddedWhileTheGroupIsBeingChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &elastiCache{tokens: []string{"the-first-token"}, takes: time.Minute, otherUntil: time.Now().Add(10 * time.Minute)}
		v := redisVault("the-first-token")
		start := time.Now()
		next := allSteps(t, e.rotator(v), v, "v2")
		if took := time.Since(start); took < 11*time.Minute {
			t.Errorf("the rotation took %v, within ten minutes of somebody else's change and one of its own", took)
		}
		if diff := cmp.Diff([]string{next}, e.added(t)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAChangeThatAnotherOneWasAheadOfIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &elastiCache{tokens: []string{"the-first-token"}, takes: time.Minute, surprise: true}
		v := redisVault("the-first-token")
		next := allSteps(t, e.rotator(v), v, "v2")
		if diff := cmp.Diff([]string{next, next}, e.added(t)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"the-first-token", next}, e.tokens); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAfterARotationThatWasTakenBackTheCurrentTokenIsAddedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &elastiCache{tokens: []string{"the-first-token"}, takes: time.Minute}
		v := redisVault("the-first-token")
		r := e.rotator(v)
		second := allSteps(t, r, v, "v2")
		v.labels["rds"]["v1"], v.labels["rds"]["v2"] = []string{current}, []string{previous}
		third := allSteps(t, r, v, "v3")
		if diff := cmp.Diff([]string{second, "the-first-token", third}, e.added(t)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"the-first-token", third}, e.tokens); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAfterARotationThatWasThrownAwayTheCurrentTokenIsAddedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &elastiCache{tokens: []string{"the-first-token", "a-pending-token-without-a-version"}, takes: time.Minute}
		v := redisVault("the-first-token")
		next := allSteps(t, e.rotator(v), v, "v2")
		if diff := cmp.Diff([]string{next, "the-first-token"}, e.added(t)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{next, "the-first-token"}, e.tokens); diff != "" {
			t.Error(diff)
		}
	})
}

func TestARefusedChangeIsToldWithoutTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &elastiCache{tokens: []string{"the-first-token"}, fault: "InvalidParameterCombination"}
		v := redisVault("the-first-token")
		r, event := e.rotator(v), v.begin("v2")
		event.Step = "createSecret"
		if err := r.Handle(t.Context(), event); err != nil {
			t.Fatal(err)
		}
		event.Step = "setSecret"
		err := r.Handle(t.Context(), event)
		if err == nil || errors.Is(err, ErrCacheBusy) {
			t.Fatalf("got %v, want a refusal that is not waited out", err)
		}
		for _, want := range []string{"setSecret", "add the pending token", groupID, "InvalidParameterCombination"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%v: does not say %q", err, want)
			}
		}
		if pending := e.added(t); len(pending) != 1 || strings.Contains(err.Error(), pending[0]) ||
			strings.Contains(err.Error(), "the-first-token") {
			t.Errorf("after %d changes: %v", len(pending), err)
		}
		if now, err := v.Get(t.Context(), "rds", "v1", current); err != nil || now != redisValue(6379, "the-first-token") {
			t.Errorf("the token in use is another one: %v", err)
		}
	})
}

func TestAGroupThatIsNotThereIsToldByItsName(t *testing.T) {
	e := &elastiCache{}
	group := e.group()
	group.ID = "another"
	if _, err := group.Available(t.Context()); err == nil || !strings.Contains(err.Error(), "describe replication group another") {
		t.Error(err)
	}
	empty := ReplicationGroup{ID: groupID, Client: elasticache.NewFromConfig(aws.Config{
		Region: "us-west-2", Credentials: credentialsFor("key"),
		HTTPClient: &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) {
			return result("DescribeReplicationGroups", "<ReplicationGroups></ReplicationGroups>"), nil
		})},
	})}
	if _, err := empty.Available(t.Context()); err == nil || !strings.Contains(err.Error(), groupID+": not found") {
		t.Error(err)
	}
}
