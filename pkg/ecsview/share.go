package ecsview

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/org/connect2/v2/internal/arn"
	"github.com/org/connect2/v2/pkg/clock"
)

// Share returns a configuration whose ECS clients read several services, or service deployments, by one call: those that are asked for
// within a moment; task definitions are read and registered at the pace that AWS documents. A read is never answered by one that began
// before it was asked for. calls is the configuration that the calls are made with: its retries hold for them.
func Share(cfg, calls aws.Config, c clock.Clock) aws.Config {
	s := &sharing{client: ecs.NewFromConfig(calls), clock: clock.Or(c), open: map[string]*batch{},
		registers: &pace{burst: 20, rate: 1}, describes: &pace{burst: 50, rate: 20}}
	shared := cfg.Copy()
	shared.APIOptions = append(slices.Clip(cfg.APIOptions), func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("ShareReads", s.handle), middleware.Before)
	})
	return shared
}

const (
	shareFor       = 100 * time.Millisecond // how long a read waits for others to share its call
	mostServices   = 10                     // that DescribeServices takes
	mostDeployment = 20                     // that DescribeServiceDeployments takes
)

// sharing gathers reads.
type sharing struct {
	client *ecs.Client
	clock  clock.Clock

	registers, describes *pace // of task definitions

	mu   sync.Mutex
	open map[string]*batch // that take more reads
}

// batch is reads that one call answers.
type batch struct {
	wanted  []string
	full    chan struct{}      // closed once it takes no more
	done    chan struct{}      // closed once it is answered
	waiting int                // for the answer
	leave   context.CancelFunc // gives the call up
	answer  any
	err     error
}

// handle answers the reads of one thing that can be read together with others.
func (s *sharing) handle(ctx context.Context, in middleware.InitializeInput,
	next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
	var result any
	var err error
	switch input := in.Parameters.(type) {
	case *ecs.DescribeServicesInput:
		if len(input.Services) != 1 {
			return next.HandleInitialize(ctx, in)
		}
		result, err = s.service(ctx, input)
	case *ecs.DescribeServiceDeploymentsInput:
		if len(input.ServiceDeploymentArns) != 1 {
			return next.HandleInitialize(ctx, in)
		}
		result, err = s.deployment(ctx, input)
	case *ecs.RegisterTaskDefinitionInput:
		return s.paced(ctx, s.registers, in, next)
	case *ecs.DescribeTaskDefinitionInput:
		return s.paced(ctx, s.describes, in, next)
	default:
		return next.HandleInitialize(ctx, in)
	}
	return middleware.InitializeOutput{Result: result}, middleware.Metadata{}, err
}

// paced makes a call when its turn comes.
func (s *sharing) paced(ctx context.Context, p *pace, in middleware.InitializeInput,
	next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
	if err := p.wait(ctx, s.clock); err != nil {
		return middleware.InitializeOutput{}, middleware.Metadata{}, err
	}
	return next.HandleInitialize(ctx, in)
}

func (s *sharing) service(ctx context.Context, in *ecs.DescribeServicesInput) (any, error) {
	wanted := in.Services[0]
	include := make([]string, len(in.Include))
	for i, field := range in.Include {
		include[i] = string(field)
	}
	key := "services " + aws.ToString(in.Cluster) + " " + strings.Join(include, ",")
	answer, err := s.join(ctx, key, wanted, mostServices, func(ctx context.Context, all []string) (any, error) {
		return s.client.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: in.Cluster, Services: all, Include: in.Include})
	})
	if err != nil {
		return nil, err
	}
	out := &ecs.DescribeServicesOutput{}
	for _, service := range answer.(*ecs.DescribeServicesOutput).Services {
		if arn.Last(aws.ToString(service.ServiceArn)) == arn.Last(wanted) {
			out.Services = append(out.Services, service)
		}
	}
	out.Failures = failuresOf(answer.(*ecs.DescribeServicesOutput).Failures, wanted)
	return out, nil
}

func (s *sharing) deployment(ctx context.Context, in *ecs.DescribeServiceDeploymentsInput) (any, error) {
	wanted := in.ServiceDeploymentArns[0]
	answer, err := s.join(ctx, "deployments", wanted, mostDeployment, func(ctx context.Context, all []string) (any, error) {
		return s.client.DescribeServiceDeployments(ctx, &ecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: all})
	})
	if err != nil {
		return nil, err
	}
	out := &ecs.DescribeServiceDeploymentsOutput{}
	for _, d := range answer.(*ecs.DescribeServiceDeploymentsOutput).ServiceDeployments {
		if aws.ToString(d.ServiceDeploymentArn) == wanted {
			out.ServiceDeployments = append(out.ServiceDeployments, d)
		}
	}
	out.Failures = failuresOf(answer.(*ecs.DescribeServiceDeploymentsOutput).Failures, wanted)
	return out, nil
}

func failuresOf(all []types.Failure, wanted string) (own []types.Failure) {
	for _, f := range all {
		if arn.Last(aws.ToString(f.Arn)) == arn.Last(wanted) {
			own = append(own, f)
		}
	}
	return own
}

// join adds a read to the batch that is open, or opens one, and waits for its answer. A call that nobody waits for any more is given up.
func (s *sharing) join(ctx context.Context, key, wanted string, most int, call func(context.Context, []string) (any, error)) (any, error) {
	s.mu.Lock()
	b := s.open[key]
	if b == nil {
		b = &batch{full: make(chan struct{}), done: make(chan struct{})}
		s.open[key] = b
		var calling context.Context
		calling, b.leave = context.WithCancel(context.WithoutCancel(ctx))
		go s.run(calling, key, b, call)
	}
	b.waiting++
	if !slices.Contains(b.wanted, wanted) {
		b.wanted = append(b.wanted, wanted)
	}
	if len(b.wanted) == most {
		delete(s.open, key)
		close(b.full)
	}
	s.mu.Unlock()
	select {
	case <-b.done:
		return b.answer, b.err
	case <-ctx.Done():
		s.mu.Lock()
		defer s.mu.Unlock()
		if b.waiting--; b.waiting == 0 {
			s.close(key, b)
			b.leave()
		}
		return nil, ctx.Err()
	}
}

// close lets no more reads join a batch. The lock is held.
func (s *sharing) close(key string, b *batch) {
	if s.open[key] == b {
		delete(s.open, key)
	}
}

// run waits for others to join a batch, and makes its call.
func (s *sharing) run(ctx context.Context, key string, b *batch, call func(context.Context, []string) (any, error)) {
	defer b.leave()
	waiting, stop := context.WithCancel(ctx)
	go func() {
		select {
		case <-b.full:
			stop()
		case <-waiting.Done():
		}
	}()
	_ = s.clock.Sleep(waiting, shareFor)
	stop()
	s.mu.Lock()
	s.close(key, b)
	s.mu.Unlock()
	b.answer, b.err = call(ctx, b.wanted)
	close(b.done)
}
