// Package adjust has the small commands of whoever operates a service: its history and what differs between two revisions, a restart,
// another number of tasks, a hold, the page of the console.
package adjust

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/awsconn"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/ecsview"
	"github.com/org/connect2/v2/pkg/hold"
	"github.com/org/connect2/v2/pkg/operate"
)

// site is a service that was found.
type site struct {
	env     *action.Env
	conn    *awsconn.Conn
	client  *ecs.Client
	service types.Service
	now     ecsview.Snapshot
}

// find reads the service. What is to change it asks for one that can be changed here.
func find(ctx context.Context, env *action.Env, in operate.Inputs, change bool) (*site, error) {
	conn, err := awsconn.Connect(ctx, env, in.Inputs)
	if err != nil {
		return nil, err
	}
	s := &site{env: env, conn: conn, client: ecs.NewFromConfig(conn.Config)}
	read := ecsview.Find
	if change {
		read = ecsview.Lookup
	}
	if s.service, err = read(ctx, s.client, in.Cluster, in.Service, hold.Unread(env.Events)); err != nil {
		return nil, awsconn.Refuse(ctx, "The service cannot be worked on", err)
	}
	s.now = ecsview.SnapshotOf(s.service)
	return s, nil
}

func (s *site) name() string { return arn.Last(aws.ToString(s.service.ServiceArn)) }

// failed is the error of a call that was to change something, and was refused or not answered.
func failed(title string, err error) error {
	return &action.Error{Outcome: action.OutcomeBeforeChange(err), Title: title, Err: awserr.Explain(err)}
}

// refuse says why nothing is changed.
func refuse(title, format string, args ...any) error {
	return &action.Error{Outcome: action.Invalid, Title: title, Err: fmt.Errorf(format, args...)}
}

// who is the person behind a run, as far as it is known.
func who(env *action.Env) string {
	for _, name := range []string{env.GitHub.TriggeringActor, env.GitHub.Actor, env.Var("USER")} {
		if name != "" {
			return name
		}
	}
	return ""
}

// revision is the ARN or FAMILY:NUMBER that a person means by a number alone.
func (s *site) revision(written string) string {
	if strings.Trim(written, "0123456789") == "" && written != "" {
		family, _, _ := strings.Cut(arn.Revision(s.now.TaskDefinition), ":")
		return family + ":" + written
	}
	return written
}
