package ecsview_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/org/connect2/v2/pkg/ecsview"
)

// unanswered is a way to AWS on which every call hangs until it is given up.
type unanswered struct{ made, givenUp atomic.Int32 }

func (u *unanswered) RoundTrip(r *http.Request) (*http.Response, error) {
	u.made.Add(1)
	<-r.Context().Done()
	u.givenUp.Add(1)
	return nil, r.Context().Err()
}

// TestACallThatNobodyWaitsForIsGivenUp holds that two reads share a call, that it goes on while one of them waits, and no longer.
func TestACallThatNobodyWaitsForIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		way := &unanswered{}
		cfg := aws.Config{Region: "us-west-2", HTTPClient: &http.Client{Transport: way}, Credentials: aws.AnonymousCredentials{}}
		client := ecs.NewFromConfig(ecsview.Share(cfg, cfg, nil))
		read := func(service string) context.CancelFunc {
			ctx, leave := context.WithCancel(t.Context())
			go func() {
				if _, err := client.DescribeServices(ctx, &ecs.DescribeServicesInput{Services: []string{service}}); err == nil {
					t.Error("it was answered")
				}
			}()
			return leave
		}
		want := func(when string, made, givenUp int32) {
			t.Helper()
			synctest.Wait()
			if m, g := way.made.Load(), way.givenUp.Load(); m != made || g != givenUp {
				t.Errorf("%s: %d calls were made and %d given up, want %d and %d", when, m, g, made, givenUp)
			}
		}
		api, worker := read("api"), read("worker")
		time.Sleep(time.Second)
		want("both wait", 1, 0)
		api()
		want("one waits", 1, 0)
		worker()
		want("nobody waits", 1, 1)

		early := read("api") // left before the call is made: who comes then has one of its own
		synctest.Wait()
		early()
		synctest.Wait()
		late := read("api")
		time.Sleep(time.Second)
		want("another waits", 2, 1)
		late()
		want("it has left too", 2, 2)
	})
}
