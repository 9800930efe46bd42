package simulation

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/org/connect2/v2/pkg/sandbox/engine"
)

const (
	second = time.Second
	minute = time.Minute
)

// corpus holds histories that once showed a violation, or that stand for many. Paste what TestHistories prints.
var corpus = map[string]History{
	"the tasks of a release that arrived exit while the same is deployed once more, which changes nothing": {
		Seed: 28, Desired: 2, Past: 2, Breaker: Off, Skew: 3 * second, Fates: []Fate{{Kind: Faints, Job: Long}},
		Runs: []Run{{At: 30 * second, Verb: Deploy, Version: 3, Lifts: true, Timeout: 10 * minute, Faults: []Fault{
			{Action: "*", Answer: "cut", Skip: 26, Times: 40},
			{Action: "ecs:DescribeServiceDeployments", Answer: "cut", Skip: 31, Times: 5},
		}, Grow: 2}},
	},
	"a cancelled run puts the version before back by an update without an answer, right after a colleague deployed": {
		Seed: 259, Desired: 3, Past: 2, Reads: 2 * second, Busy: 0.9,
		Others: []Act{
			{Change: 1, At: 250 * time.Millisecond, What: ColleagueDeploys, N: 2},
			{Change: 4, At: 1250 * time.Millisecond, What: TerraformNetwork},
			{Change: 3, At: 2250 * time.Millisecond, What: Scales, N: 2},
		},
		Fates: []Fate{{Kind: Unhealthy, First: 3, Job: Long}},
		Runs: []Run{
			{At: 105 * second, Verb: Deploy, Version: 3, Lifts: true, Timeout: 4 * minute, Faults: []Fault{
				{Action: "*", Answer: "unavailable", Skip: 12, Times: 2},
				{Action: "ecs:UpdateService", Answer: "hang-after", Skip: 1, Times: 2},
			}, End: Cancel, Until: 1, Grow: 4, Again: 200 * second},
			{Change: 5, At: 750 * time.Millisecond, Verb: Rollback, Timeout: 4 * minute, End: Cancel, Until: 2,
				After: 2750 * time.Millisecond, Again: minute},
		},
	},
	"a rollback is cancelled at the moment in which it reads that it has arrived": {
		Seed: 11, Desired: 2, Past: 2, Fates: []Fate{{}, {}, {}},
		Runs: []Run{
			{At: 2250 * time.Millisecond, Verb: Rollback, Timeout: 10 * minute, End: Cancel, Until: 2, After: 1250 * time.Millisecond},
			{Change: 5, At: 2250 * time.Millisecond, Verb: Deploy, Version: 3, Timeout: 4 * minute,
				Faults: []Fault{{Action: "ecs:RegisterTaskDefinition", Answer: "throttle", Skip: 2, Times: 1}},
				End:    Kill, Until: 1, After: 5 * second, Grow: 5, Again: minute},
		},
	},
	"a rollback meets a release whose tasks failed after it was complete, and which is put back": {
		Desired: 2, Past: 2, Fates: []Fate{{Kind: Faints}},
		Runs: []Run{
			{Verb: Deploy, Version: 3, Lifts: true, Timeout: 10 * minute,
				Faults: []Fault{{Action: "ecs:DescribeServices", Answer: "hang", Skip: 14, Times: 4}}},
			{Change: 3, At: 2 * second, Verb: Rollback, Timeout: 4 * minute},
		},
	},
	"a rollback meets a service that a release of two takes back after it had arrived": {
		Seed: 933, Desired: 2, Past: 2, Second: Afterwards, Fates: []Fate{{Job: Fails}, {}},
		Runs: []Run{
			{At: 15 * second, Verb: Together, Version: 4, Lifts: true, Timeout: 10 * minute, End: Cancel, Call: 41, Late: true},
			{Change: 3, At: 90 * second, Verb: Rollback, Timeout: 4 * minute,
				Faults: []Fault{{Action: "ecs:RegisterTaskDefinition", Answer: "refuse", Times: 1}}},
		},
	},
	"of two services that go back, another run has deployed the very revision of one anew": {
		Seed: 1, Desired: 2, Past: 2, Breaker: Off, Second: AtOnce,
		Others: []Act{
			{At: 80 * second, What: TerraformNetwork},
			{Change: 5, At: 500 * time.Millisecond, What: TerraformNetwork},
		},
		Fates: []Fate{{Job: Long}, {Kind: Unhealthy, First: 2, Second: NoPull}, {Kind: Faints, Second: NoPull}},
		Runs: []Run{
			{At: 250 * time.Millisecond, Verb: Together, Version: 1, Timeout: 10 * minute, Faults: []Fault{
				{Action: "ecs:StopServiceDeployment", Answer: "hang", Skip: 2, Times: 40},
				{Action: "ecs:StopServiceDeployment", Answer: "cut", Times: 12},
			}, End: Kill, Call: 61, Late: true},
			{Change: 1, At: 10 * second, Verb: Together, Version: 1, Force: true, Timeout: 4 * minute, Faults: []Fault{
				{Action: "ecs:DescribeServices", Answer: "cut-after", Skip: 15, Times: 1},
				{Action: "ecs:RunTask", Answer: "unavailable", Skip: 2, Times: 5},
			}},
			{Change: 2, At: 70 * second, Verb: Release, Version: 5, Force: true, Lifts: true, Timeout: 4 * minute,
				Faults: []Fault{{Action: "ecs:DescribeServices", Answer: "hang-after", Skip: 19, Times: 1}}},
		},
	},
	"of two services the one that arrived goes back to another revision of the very image": {
		Desired: 1, Past: 2, Breaker: Stops, Shift: Linear, Reads: 2 * second, Busy: 0.5, Second: AtOnce,
		Fates: []Fate{{Kind: Slow, First: 1, Second: NoPull}, {}},
		Runs:  []Run{{At: 25 * second, Verb: Together, Version: 2, Timeout: 4 * minute}},
	},
	"of two services the one that arrived is changed by another run while it goes back": {
		Seed: 7, Desired: 2, Past: 1, Reads: 2 * second, Second: AtOnce, Scheduled: true,
		Others: []Act{{Change: 1, At: 65 * second, What: ColleagueRollsBack}},
		Fates:  []Fate{{Kind: Faints, First: 2}},
		Runs: []Run{
			{At: 2250 * time.Millisecond, Verb: Together, Version: 2, Lifts: true, Timeout: 4 * minute, Faults: []Fault{
				{Action: "ecs:DescribeServiceRevisions", Answer: "hang-after", Skip: 1, Times: 2},
				{Action: "ecs:DescribeServices", Answer: "cut-after", Skip: 40, Times: 1},
			}},
			{Change: 2, At: 45 * second, Verb: Together, Version: 1, Lifts: true, Timeout: 4 * minute,
				Faults: []Fault{{Action: "ecs:DescribeTaskDefinition", Answer: "hang-after", Skip: 9, Times: 2}},
				End:    Cancel, Call: 71, Late: true, Again: minute},
		},
	},
	"a deployment that arrived is taken back, since its schedules cannot go along": {
		Desired: 2, Past: 1, Breaker: Off, Scheduled: true, Fates: []Fate{{}},
		Runs: []Run{{At: 1250 * time.Millisecond, Verb: Deploy, Version: 1, Lifts: true, Timeout: 4 * minute, Along: true,
			Faults: []Fault{{Action: "scheduler:*", Answer: "unavailable", Skip: 1, Times: 40}}}},
	},
	"a run takes up the deployment that another has just begun, and puts the version before back when it has failed": {
		Seed: 2, Desired: 3, Past: 2, Breaker: Off, Shift: Linear, Reads: 2 * second,
		Fates: []Fate{{Kind: Crashes, First: 3, Job: Fails}, {Kind: NoRoom, First: 3}, {}},
		Runs: []Run{
			{At: 75 * second, Verb: Deploy, Version: 3, Force: true, Lifts: true, Timeout: 4 * minute,
				Faults: []Fault{{Action: "ecs:RegisterTaskDefinition", Answer: "refuse", Times: 5}}},
			{Change: 2, Verb: Deploy, Version: 1, Timeout: 10 * minute, Faults: []Fault{
				{Action: "ecs:DescribeServiceDeployments", Answer: "cut", Skip: 18, Times: 2},
				{Action: "ecs:TagResource", Answer: "unavailable", Skip: 2, Times: 1},
			}, End: Cancel, Call: 60, Again: 5 * second},
			{Change: 2, At: 1750 * time.Millisecond, Verb: Deploy, Version: 1, Force: true, Lifts: true, Timeout: 4 * minute},
		},
	},
	"a rollback that was ended in mid-way has arrived, and the same again takes the schedules along": {
		Seed: 482, Desired: 3, Past: 2, Lag: 5 * second, Scheduled: true,
		Fates: []Fate{{}},
		Runs: []Run{{At: 250 * time.Millisecond, Verb: Rollback, Timeout: 10 * minute, End: Cancel, Until: 1, After: 70 * second,
			Again: minute}},
	},
	"a signal while schedules are pointed, which is throttled": {
		Seed: 1, Desired: 1, Past: 2, Scheduled: true, Fates: []Fate{{}},
		Runs: []Run{{At: 90 * second, Verb: Deploy, Version: 3, Force: true, Lifts: true, Timeout: 10 * minute, Along: true, Faults: []Fault{
			{Action: "ecr:*", Answer: "cut-after", Skip: 7, Times: 12},
			{Action: "events:PutTargets", Answer: "throttle", Times: 5},
		}, End: Cancel, Until: 2, After: 1750 * time.Millisecond, Again: second}},
	},
	"of a release of two services that fails, a colleague deploys the second anew": {
		Seed: 14, Desired: 2, Past: 2, Reads: 2 * second, Second: AtOnce, Restarts: true,
		Others: []Act{
			{Change: 5, At: 250 * time.Millisecond, What: OperatorStops},
			{Change: 3, What: ColleagueDeploysSecond, N: 3},
		},
		Fates: []Fate{{Kind: NoPull, Second: NoPull}},
		Runs:  []Run{{At: 40 * second, Verb: Together, Version: 3, Lifts: true, Timeout: 10 * minute}},
	},
	"what was put back is replaced by somebody before the run that put it back has read that it is complete": {
		Seed: 7, Desired: 3, Past: 2, Shift: "LINEAR", Lag: 5 * second,
		Others: []Act{
			{Change: 2, At: 3 * second, What: ColleagueRollsBack},
			{Change: 4, What: ColleagueRollsBack},
			{Change: 3, What: TerraformNetwork},
		},
		Fates: []Fate{{}, {Kind: NoRoom}, {Kind: Faints}},
		Runs: []Run{{At: 80 * second, Verb: Deploy, Version: 2, Force: true, Timeout: 4 * minute, Faults: []Fault{
			{Action: "ecs:RegisterTaskDefinition", Answer: "refuse", Times: 5},
			{Action: "*", Answer: "hang", Skip: 1, Times: 1},
		}, End: Cancel, After: 4 * minute, Again: second}},
	},
	"an update that is never answered, taken back by a colleague, and the same deployed by another run, which fails": {
		Seed: 1, Desired: 3, Past: 2, Breaker: Stops,
		Others: []Act{{Change: 1, At: 5 * second, What: ColleagueRollsBack}},
		Fates:  []Fate{{}, {Job: Fails}, {Kind: Slow, Job: Long}},
		Runs: []Run{
			{At: 5 * second, Verb: Release, Version: 5, Lifts: true, Timeout: 10 * minute,
				Faults: []Fault{{Action: "ecs:UpdateService", Answer: "hang-after", Times: 40}}},
			{Change: 1, At: 20 * second, Verb: Deploy, Version: 5, Lifts: true, Timeout: 4 * minute},
		},
	},
	"the answer of a registration is lost, and somebody registers before it is looked for": {
		Seed: 803, Desired: 2, Past: 2, Breaker: Off, Skew: 3 * second, Restarts: true,
		Others: []Act{
			{Change: 5, What: SpotTakesJob},
			{Change: 3, What: ColleagueDeploys, N: 4},
			{Change: 5, What: OperatorStopsJob},
		},
		Fates: []Fate{{}, {Kind: Unhealthy, Job: Fails}, {Job: Fails}},
		Runs: []Run{
			{Verb: Deploy, Version: 4, Force: true, Timeout: 10 * minute, Faults: []Fault{
				{Action: "*", Answer: "cut-after", Skip: 5, Times: 1},
				{Action: "ecs:DescribeTasks", Answer: "unavailable", Skip: 29, Times: 2},
			}, End: Cancel, Call: 14},
			{Verb: Deploy, Version: 3, Force: true, Timeout: 4 * minute, Faults: []Fault{
				{Action: "ecs:RegisterTaskDefinition", Answer: "refuse", Times: 1},
				{Action: "ecs:DescribeServices", Answer: "cut-after", Skip: 5, Times: 1},
			}},
			{At: 165 * second, Verb: Rollback, Timeout: 4 * minute},
		},
	},
	"a version is put back right before a run that reads a stale service": {
		Seed: 9, Desired: 3, Past: 1, Breaker: Stops, Lag: 5 * second, Reads: 2 * second,
		Fates: []Fate{{Kind: Crashes, First: 3, Job: Fails}},
		Runs: []Run{
			{At: 65 * second, Verb: Deploy, Version: 2, Timeout: 4 * minute},
			{Change: 3, Verb: Deploy, Version: 2, Timeout: 4 * minute},
			{Change: 5, At: 10 * second, Verb: Rollback, Timeout: 4 * minute},
		},
	},
	"a run that is to end puts the version before back, over what somebody has just begun": {
		Desired: 3, Past: 2, Reads: 2 * second, Busy: 0.5,
		Others: []Act{
			{Change: 3, What: ColleagueDeploys, N: 3},
			{Change: 5, At: minute, What: ColleagueDeploys, N: 2},
			{Change: 1, What: ColleagueDeploys, N: 3},
		},
		Fates: []Fate{{Kind: Crashes, First: 3}},
		Runs: []Run{
			{At: 3 * second, Verb: Migrate, Version: 3, Lifts: true, Timeout: 10 * minute, Faults: []Fault{
				{Action: "ecs:DescribeServiceDeployments", Answer: "unavailable", Skip: 4, Times: 40},
				{Action: "ecs:DescribeServiceDeployments", Answer: "unavailable", Skip: 9, Times: 1},
			}},
			{Change: 2, At: 70 * second, Verb: Deploy, Version: 3, Timeout: 10 * minute, End: Cancel, Call: 8, Late: true, Grow: 4, Again: second},
			{At: 30 * second, Verb: Rollback, Timeout: 10 * minute, Faults: []Fault{
				{Action: "ecs:DeregisterTaskDefinition", Answer: "throttle", Times: 2},
				{Action: "ecs:StopServiceDeployment", Answer: "cut-after", Skip: 2, Times: 1},
			}},
		},
	},
	"a run is cancelled whose deployment is complete, and a task of it was stopped": {
		Seed: 1, Desired: 1, Past: 3, Shift: "CANARY",
		Others: []Act{
			{Change: 2, At: 500 * time.Millisecond, What: OperatorStops, N: 5},
			{Change: 4, At: 250 * time.Millisecond, What: ColleagueDeploys, N: 1},
		},
		Fates: []Fate{{Kind: NoPull}, {Kind: NoPull, First: 1, Job: Long}},
		Runs: []Run{{At: 750 * time.Millisecond, Verb: Deploy, Version: 5, Timeout: 10 * minute,
			Faults: []Fault{{Action: "ecs:UpdateService", Answer: "cut-after", Times: 5}}, End: Cancel, Call: 117, Late: true}},
	},
	"two services are released at once, and the second fails": {
		Seed: 1, Desired: 2, Past: 2, Second: AtOnce, Scheduled: true, Fates: []Fate{{}, {Second: Crashes}},
		Runs: []Run{
			{Verb: Together, Version: 3, Timeout: 10 * minute},
			{At: 15 * minute, Verb: Together, Version: 4, Timeout: 10 * minute},
		},
	},
	"two services are released one after the other, and the second fails": {
		Seed: 1, Desired: 2, Past: 2, Second: Afterwards, Fates: []Fate{{Second: Faints}, {Second: NoPull}},
		Runs: []Run{
			{Verb: Together, Version: 3, Timeout: 10 * minute},
			{At: 15 * minute, Verb: Together, Version: 4, Timeout: 10 * minute},
		},
	},
	"schedules go along with a deployment, and back with a rollback": {
		Seed: 1, Desired: 2, Past: 2, Scheduled: true, Fates: []Fate{{}, {Kind: Crashes}},
		Runs: []Run{
			{Verb: Deploy, Along: true, Version: 3, Timeout: 10 * minute},
			{At: 15 * minute, Verb: Deploy, Along: true, Version: 4, Timeout: 10 * minute},
			{At: 30 * minute, Verb: Rollback, Timeout: 10 * minute},
		},
	},
	"a deployment begins in the moment after a run was rolled back": {
		Seed: 7, Desired: 2, Past: 2, Breaker: Off, Shift: "CANARY", Busy: 0.9, Skew: 3 * second,
		Fates: []Fate{{Kind: Crashes, First: 2}, {Kind: "no pull", First: 2, Job: "long"}, {Kind: "slow", Job: "fails"}},
		Others: []Act{
			{Change: 5, At: 750 * time.Millisecond, What: "operator stops", N: 1},
			{Change: 5, At: 2500 * time.Millisecond, What: "Terraform changes settings"},
			{Change: 1, At: 50 * second, What: "operator stops", N: 1},
		},
		Runs: []Run{
			{Verb: Deploy, Version: 5, Lifts: true, Timeout: 4 * minute,
				Faults: []Fault{{Action: "ecs:ListTasks", Answer: "throttle", Skip: 9, Times: 1}}},
			{At: 20 * second, Verb: Migrate, Version: 5, Timeout: 4 * minute},
			{Change: 3, Verb: Deploy, Version: 5, Timeout: 10 * minute, Grow: 3, Faults: []Fault{
				{Action: "ecs:RunTask", Answer: "throttle", Skip: 2, Times: 1},
				{Action: "ecs:ListServiceDeployments", Answer: "throttle", Skip: 14, Times: 1},
			}},
		},
	},
	"the version before is COMPLETED for a second and a half, and is replaced before a run that was rolled back ends": {
		Seed: 86, Desired: 1, Past: 2, Breaker: Stops, Skew: 3 * second, Fates: []Fate{{}},
		Others: []Act{{Change: 1, At: 100 * second, What: ColleagueRollsBack}},
		Runs: []Run{
			{At: 750 * time.Millisecond, Verb: Deploy, Version: 3, Lifts: true, Timeout: 10 * minute},
			{Change: 3, At: second, Verb: Deploy, Version: 3, Force: true, Lifts: true, Timeout: 4 * minute, Faults: []Fault{
				{Action: "ecs:DescribeServiceRevisions", Answer: "unavailable", Times: 12},
				{Action: "ecs:RegisterTaskDefinition", Answer: "cut-after", Skip: 1, Times: 1},
			}},
			{Change: 4, Verb: Rollback, Timeout: 4 * minute},
		},
	},
	"a container that ends after a while, and is started again in its task": {
		Desired: 2, Past: 1, Fates: []Fate{{Kind: Faints}}, Restarts: true,
		Runs: []Run{{Verb: Deploy, Version: 2, Timeout: 10 * minute, Grow: 3}},
	},
	"a rollback joins ECS's own, which goes back to what another rollback had left": {
		Seed: 752, Desired: 1, Past: 3, Shift: "BLUE_GREEN", Lag: 5 * second, Reads: 2 * second, Skew: 3 * second,
		Fates: []Fate{{Kind: NoPull, Job: Long}},
		Others: []Act{
			{Change: 2, At: 10 * second, What: ColleagueForces},
			{At: 15 * second, What: ColleagueDeploys, N: 4},
		},
		Runs: []Run{
			{At: 3 * second, Verb: Rollback, Timeout: 4 * minute},
			{Change: 4, At: 250 * time.Millisecond, Verb: Rollback, Timeout: 4 * minute},
		},
	},
	"a deployment is repeated whose tasks have just exited, which ECS has not noticed": {
		Seed: 21, Desired: 2, Past: 2, Breaker: Stops, Lag: 5 * second, Fates: []Fate{{Kind: Faints}},
		Runs: []Run{
			{Verb: Deploy, Version: 3, Timeout: 4 * minute, End: Cancel, Call: 40, Late: true, Again: 5 * second},
			{At: 157 * second, Verb: Deploy, Version: 3, Timeout: 4 * minute},
		},
	},
	"a deployment, and nothing else": {
		Desired: 2, Past: 1, Fates: []Fate{{}},
		Runs: []Run{{Verb: Deploy, Version: 2, Timeout: 10 * minute}},
	},
	"an ordinary rollback": {
		Desired: 2, Past: 3,
		Runs: []Run{{Verb: Rollback, Timeout: 10 * minute}},
	},
	"a rollback of a deployment that a colleague began": {
		Desired: 2, Past: 2, Fates: []Fate{{}},
		Runs:   []Run{{At: 60 * second, Verb: Rollback, Timeout: 10 * minute}},
		Others: []Act{{At: 10 * second, What: ColleagueDeploys, N: 3}},
	},
	"the circuit breaker rolls back while we watch": {
		Desired: 1, Past: 1, Fates: []Fate{{Kind: NoPull}},
		Runs: []Run{{Verb: Deploy, Version: 2, Timeout: 30 * minute}},
	},
	"the circuit breaker ends it, and the version before is put back": {
		Desired: 2, Past: 1, Breaker: Stops, Fates: []Fate{{Kind: Unhealthy}},
		Runs: []Run{{Verb: Deploy, Version: 2, Timeout: 30 * minute}},
	},
	"no breaker, and no room for its tasks within the timeout": {
		Desired: 2, Past: 1, Breaker: Off, Fates: []Fate{{Kind: NoRoom}},
		Runs: []Run{{Verb: Deploy, Version: 2, Timeout: 4 * minute}},
	},
	"killed right after the update, whose answer is lost, and again": {
		Desired: 2, Past: 1, Fates: []Fate{{}},
		Runs: []Run{{Verb: Deploy, Version: 2, Timeout: 10 * minute, End: Kill, Call: 8, Late: true, Again: 20 * second}},
	},
	"a signal in mid-way, and again while ECS still rolls back": {
		Desired: 2, Past: 1, Fates: []Fate{{}},
		Runs: []Run{{Verb: Deploy, Version: 2, Timeout: 10 * minute, End: Cancel, After: 45 * second, Again: 5 * second}},
	},
	"two deployments at once": {
		Desired: 2, Past: 1, Fates: []Fate{{}, {}},
		Runs: []Run{
			{Verb: Deploy, Version: 2, Timeout: 10 * minute},
			{At: 5 * second, Verb: Deploy, Version: 3, Timeout: 10 * minute},
		},
	},
	"a colleague takes our deployment back": {
		Desired: 2, Past: 1, Fates: []Fate{{}},
		Runs:   []Run{{Verb: Deploy, Version: 2, Timeout: 10 * minute}},
		Others: []Act{{At: 50 * second, What: ColleagueRollsBack}},
	},
	"tasks are stopped and wanted while we deploy": {
		Desired: 2, Past: 1, Fates: []Fate{{}},
		Runs:   []Run{{Verb: Deploy, Version: 2, Timeout: 10 * minute}},
		Others: []Act{{At: 60 * second, What: OperatorStops, N: 3}, {At: 70 * second, What: Scales, N: 4}},
	},
	"a blue/green deployment": {
		Desired: 2, Past: 1, Shift: BlueGreen, Fates: []Fate{{}},
		Runs: []Run{{Verb: Deploy, Version: 2, Timeout: 10 * minute}},
	},
	"a canary deployment whose tasks never answer, and a rollback of it": {
		Desired: 2, Past: 1, Shift: Canary, Fates: []Fate{{Kind: Unhealthy}},
		Runs: []Run{
			{Verb: Deploy, Version: 2, Timeout: 10 * minute},
			{At: 60 * second, Verb: Rollback, Timeout: 10 * minute},
		},
	},
	"something newer takes over between the completion and the read that sees it": {
		Desired: 2, Past: 1, Fates: []Fate{{}, {}},
		Runs: []Run{{
			Verb: Deploy, Version: 2, Timeout: 10 * minute,
			Faults: []Fault{{Action: "ecs:DescribeServiceDeployments", Answer: "throttle", Skip: 5, Times: 40}},
		}},
		Others: []Act{{At: 160 * second, What: ColleagueDeploys, N: 3}},
	},
	"a signal when the deployment is complete, and no read has seen it": {
		Desired: 1, Past: 1, Fates: []Fate{{}},
		Runs: []Run{{
			Verb: Deploy, Version: 2, Timeout: 10 * minute, End: Cancel, Until: 2, After: 90 * second,
			Faults: []Fault{{Action: "ecs:DescribeServiceDeployments", Answer: "throttle", Skip: 40, Times: 60}},
		}},
	},
	"two tasks that start together meet one passing fault": {
		Desired: 2, Past: 1, Fates: []Fate{{Kind: Crashes, First: 2}},
		Runs: []Run{{Verb: Deploy, Version: 2, Timeout: 10 * minute}},
	},
	"a bad release begins while a rollback is under way": {
		Desired: 3, Past: 3, Fates: []Fate{{Kind: Crashes}},
		Runs: []Run{{Verb: Deploy, Version: 4, Timeout: 4 * minute, End: Cancel, After: 55 * second, Again: 5 * second}},
	},
	"an update is never answered": {
		Desired: 1, Past: 2,
		Runs: []Run{{Verb: Rollback, Timeout: 4 * minute, Faults: []Fault{{Action: "ecs:UpdateService", Answer: "hang", Times: 40}}}},
	},
	"a deployment is repeated while the service scales out": {
		Desired: 1, Past: 1, Fates: []Fate{{}},
		Runs: []Run{{Verb: Deploy, Version: 2, Timeout: 10 * minute, Grow: 2}},
	},
	"the answers of two registrations are lost": {
		Desired: 1, Past: 1, Fates: []Fate{{}},
		Runs: []Run{{
			Verb: Deploy, Version: 2, Timeout: 10 * minute,
			Faults: []Fault{{Action: "ecs:RegisterTaskDefinition", Answer: "cut-after", Times: 2}},
		}},
	},
	"every answer of an update is lost": {
		Desired: 2, Past: 1, Fates: []Fate{{}},
		Runs: []Run{{
			Verb: Deploy, Version: 2, Timeout: 10 * minute,
			Faults: []Fault{{Action: "ecs:UpdateService", Answer: "cut-after", Times: 40}},
		}},
	},
	"a rollback that was ended in mid-way, and the same again when it has arrived": {
		Desired: 1, Past: 2,
		Runs: []Run{{Verb: Rollback, Timeout: 4 * minute, End: Cancel, After: 5 * second, Again: 80 * second}},
	},
	"a rollback that reads a list without the newest deployment": {
		Desired: 2, Past: 2, Fates: []Fate{{}},
		Runs:   []Run{{At: 21 * second, Verb: Rollback, Timeout: 10 * minute}},
		Others: []Act{{At: 10 * second, What: ColleagueDeploys, N: 1}, {At: 20 * second, What: ColleagueDeploys, N: 3}},
	},
	"a rollback of a forced deployment of the revision that completed last": {
		Desired: 1, Past: 2,
		Runs:   []Run{{At: 30 * second, Verb: Rollback, Timeout: 10 * minute}},
		Others: []Act{{At: 10 * second, What: ColleagueForces}},
	},
	"a deployment begins while a run still prepares its own": {
		Desired: 1, Past: 2, Fates: []Fate{{}, {}},
		Runs: []Run{{
			Verb: Deploy, Version: 3, Timeout: 10 * minute,
			Faults: []Fault{{Action: "ecs:RegisterTaskDefinition", Answer: "throttle", Times: 5}},
		}},
		Others: []Act{{At: 500 * time.Millisecond, What: ColleagueDeploys, N: 4}},
	},
	"two rollbacks at once, one of which is taken back in the end, and a deployment meanwhile": {
		Seed: 51, Desired: 1, Past: 2, Shift: "BLUE_GREEN", Reads: 2 * second, Skew: -3 * second, Fates: []Fate{{}},
		Runs: []Run{
			{Verb: Rollback, Timeout: 10 * minute},
			{Verb: Rollback, Timeout: 4 * minute,
				Faults: []Fault{{Action: "ecs:DescribeServiceDeployments", Answer: "unavailable", Skip: 15, Times: 2}}},
			{Change: 2, At: 2 * minute, Verb: Deploy, Version: 3, Lifts: true, Timeout: 10 * minute,
				Faults: []Fault{{Action: "ecs:DescribeTasks", Answer: "hang", Skip: 39, Times: 2}}},
		},
	},
	"a blue/green deployment is superseded before its traffic is shifted": {
		Desired: 2, Past: 1, Shift: BlueGreen, Fates: []Fate{{}, {}},
		Runs: []Run{
			{Verb: Deploy, Version: 2, Timeout: 10 * minute},
			{At: 100 * second, Verb: Deploy, Version: 3, Timeout: 10 * minute},
		},
	},
	"a blue/green deployment is superseded while it bakes": {
		Desired: 2, Past: 1, Shift: BlueGreen, Fates: []Fate{{}, {Kind: Crashes}},
		Runs: []Run{
			{Verb: Deploy, Version: 2, Timeout: 10 * minute},
			{At: 170 * second, Verb: Deploy, Version: 3, Timeout: 10 * minute},
		},
	},
	"a canary deployment is superseded while some traffic goes to it": {
		Desired: 2, Past: 1, Shift: Canary, Fates: []Fate{{}, {}},
		Runs:   []Run{{Verb: Deploy, Version: 2, Timeout: 10 * minute}},
		Others: []Act{{At: 170 * second, What: ColleagueDeploys, N: 3}},
	},
	"a run that is to end puts the version before back, gets no answer, and somebody deploys": {
		Seed: 20, Desired: 2, Past: 3, Breaker: Off, Lag: 5 * second, Reads: 2 * second, Busy: 0.9,
		Others: []Act{{Change: 5, At: 750 * time.Millisecond, What: ColleagueDeploys, N: 4}},
		Fates:  []Fate{{Kind: NoRoom}},
		Runs: []Run{{
			At: 1500 * time.Millisecond, Verb: Deploy, Version: 4, Lifts: true, Timeout: 10 * minute,
			Faults: []Fault{{Action: "ecs:UpdateService", Answer: "cut-after", Skip: 1, Times: 40}},
			End:    Cancel, Call: 13, Again: second,
		}},
	},
	"an update is throttled, and somebody deploys meanwhile": {
		Desired: 1, Past: 1, Fates: []Fate{{}, {}},
		Runs: []Run{{
			Verb: Deploy, Version: 2, Timeout: 10 * minute,
			Faults: []Fault{{Action: "ecs:UpdateService", Answer: "throttle", Times: 8}},
		}},
		Others: []Act{{At: 2 * second, What: ColleagueDeploys, N: 3}},
	},
	"a failed deployment's revision is deregistered while another run deploys it again": {
		Desired: 2, Past: 2, Shift: "LINEAR", Reads: 2 * second,
		Fates: []Fate{{Kind: "crashes", First: 2, Job: "long"}},
		Runs: []Run{
			{At: 65 * second, Verb: Deploy, Version: 3, Lifts: true, Timeout: 4 * minute},
			{Change: 3, At: 250 * time.Millisecond, Verb: Deploy, Version: 3, Lifts: true, Timeout: 10 * minute},
		},
	},
	"what took over from a deployment is itself taken back": {
		Seed: 50, Desired: 1, Past: 3,
		Others: []Act{{Change: 2, What: ColleagueRollsBack}},
		Fates:  []Fate{{Kind: Slow, First: 1}, {}, {Kind: Slow}},
		Runs: []Run{
			{At: 40 * second, Verb: Deploy, Version: 6, Force: true, Lifts: true, Timeout: 10 * minute},
			{Change: 1, At: 250 * time.Millisecond, Verb: Deploy, Version: 5, Lifts: true, Timeout: 4 * minute},
		},
	},
	"a deployment begins right before an update": {
		Desired: 1, Past: 1, Fates: []Fate{{}, {}},
		Runs:   []Run{{At: 2 * second, Verb: Deploy, Version: 2, Timeout: 10 * minute}},
		Others: []Act{{At: 2200 * time.Millisecond, What: ColleagueDeploys, N: 3}},
	},
	"a rollback of a forced deployment of what ECS has put back a moment before": {
		Seed: 22, Desired: 1, Past: 1, Breaker: Off, Busy: 0.5,
		Others: []Act{{Change: 3, What: ColleagueForces}},
		Fates:  []Fate{{Kind: "no pull", Job: "fails"}},
		Runs: []Run{
			{At: 1750 * time.Millisecond, Verb: Deploy, Version: 2, Timeout: 4 * minute, Grow: 4,
				Faults: []Fault{{Action: "ecs:DescribeServices", Answer: "throttle", Times: 40}}},
			{Change: 3, At: 500 * time.Millisecond, Verb: Rollback, Timeout: 4 * minute},
		},
	},
	"what a rollback goes back to is deployed anew by Terraform meanwhile, and the rollback is repeated": {
		Seed: 322, Desired: 1, Past: 2, Breaker: Off, Lag: 5 * second, Reads: 2 * second,
		Others: []Act{{At: 130 * second, What: SpotTakesJob}, {At: 20 * second, What: TerraformNetwork}},
		Fates:  []Fate{{Job: "fails"}, {}},
		Runs: []Run{
			{At: 750 * time.Millisecond, Verb: Deploy, Version: 4, Lifts: true, Timeout: 4 * minute,
				Faults: []Fault{{Action: "ecs:UpdateService", Answer: "hang-after", Skip: 1, Times: 12}}},
			{At: 10 * second, Verb: Rollback, Timeout: 4 * minute, Faults: []Fault{
				{Action: "ecs:RegisterTaskDefinition", Answer: "refuse", Times: 2},
				{Action: "ecs:UpdateService", Answer: "hang-after", Skip: 1, Times: 12},
			}, End: "kill", Call: 120, Again: second},
			{Change: 1, At: 2500 * time.Millisecond, Verb: Release, Version: 4, Timeout: 4 * minute, Faults: []Fault{
				{Action: "ecs:DescribeServiceDeployments", Answer: "unavailable", Skip: 39, Times: 40},
				{Action: "ecs:DescribeServices", Answer: "throttle", Skip: 16, Times: 40},
			}},
		},
	},
	"a rollback that was ended in mid-way, and the same again": {
		Desired: 2, Past: 2,
		Runs: []Run{{Verb: Rollback, Timeout: 10 * minute, End: Cancel, After: 60 * second, Again: 5 * second}},
	},
	"a rollback is taken back to what it had left, and a second one follows that": {
		Desired: 1, Past: 2, Shift: "BLUE_GREEN", Fates: []Fate{{Kind: Crashes, First: 1}},
		Runs: []Run{
			{At: 10 * second, Verb: Rollback, Timeout: 4 * minute, End: Cancel, Call: 120, Late: true, Again: second},
			{At: 220 * second, Verb: Deploy, Version: 3, Lifts: true, Timeout: 4 * minute},
			{Change: 4, At: 35 * second, Verb: Rollback, Timeout: 4 * minute},
		},
	},
}

// TestCorpus lets the histories of the corpus happen.
func TestCorpus(t *testing.T) {
	for name, h := range corpus {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := simulate(t, h)
			for _, v := range w.check() {
				t.Errorf("%s\n\n%s", h, w.account(v))
			}
		})
	}
}

// TestStartedAgain holds that containers which are started again keep their tasks, long after the release, and that others do not.
func TestStartedAgain(t *testing.T) {
	for _, policy := range []bool{true, false} {
		h := corpus["a container that ends after a while, and is started again in its task"]
		h.Restarts = policy
		w := simulate(t, h)
		run := w.runs[0]
		if run.answer.Outcome != "succeeded" || (run.last.gone(w.settled) == 0) != policy {
			t.Errorf("with a restart policy: %v; the release is %s, its tasks %s, later %s", policy, run.answer.Outcome, run.last.tasks,
				w.settled.tasks)
		}
	}
}

// TestWrittenDown looks at what the service's tags say after a release that was put back, and of a rollback that met it: the first leaves
// nothing, since its history tells the rest; of the second it is written down what was left.
func TestWrittenDown(t *testing.T) {
	h := corpus["a rollback meets a release whose tasks failed after it was complete, and which is put back"]
	all := h.Runs
	for runs, want := range map[int]string{1: "", 2: "connect2-api-dev:3 to connect2-api-dev:2, done"} {
		h.Runs = slices.Clone(all[:runs])
		w := simulate(t, h)
		if first := w.runs[0].answer; !first.tookBack() {
			t.Fatalf("the release is %s: %s", first.Outcome, first.Error)
		}
		tags := map[string]string{}
		w.service(func(_ *engine.Engine, s *engine.Service) {
			for _, tag := range s.Tags {
				tags[tag.Key] = tag.Value
			}
		})
		got := ""
		if tags["connect2:rollback-from"] != "" {
			got = fmt.Sprintf("%s to %s, %s", tags["connect2:rollback-from"], tags["connect2:rollback-to"], tags["connect2:rollback-step"])
		}
		if got != want {
			t.Errorf("after %d runs the tags say %q, want %q", runs, got, want)
		}
	}
}

// TestKnown shows the faults that are known.
func TestKnown(t *testing.T) {
	for _, f := range known {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			var others string
			w := simulate(t, f.shows)
			for _, v := range w.check() {
				if v.known == f.name {
					return
				}
				others += "\n\n" + w.account(v)
			}
			t.Errorf("its history shows it no more: take it off the list of known faults, and put the history into the corpus.%s", others)
		})
	}
}

// TestLiteral holds that a history is printed as the Go that makes it.
func TestLiteral(t *testing.T) {
	h := History{
		Desired: 2, Past: 1, Breaker: Off, Fates: []Fate{{Kind: NoRoom, First: 2}},
		Runs: []Run{{At: 5 * second, Verb: Deploy, Version: 2, Timeout: 4 * minute, End: Kill, Call: 8, Late: true,
			Faults: []Fault{{Action: "ecs:*", Answer: "cut", Times: 1}}}},
	}
	want := `History{
	Desired: 2,
	Past: 1,
	Breaker: "off",
	Fates: []Fate{
		{Kind: "no room", First: 2},
	},
	Runs: []Run{
		{At: 5 * time.Second, Verb: "deploy", Version: 2, Timeout: 4 * time.Minute, Faults: []Fault{
				{Action: "ecs:*", Answer: "cut", Times: 1},
			}, End: "kill", Call: 8, Late: true},
	},
}`
	if got := fmt.Sprint(h); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestSeedGivesOneHistory lets the same history happen twice and holds that the same came of it, to the millisecond.
func TestSeedGivesOneHistory(t *testing.T) {
	for _, name := range []string{
		"two deployments at once", "killed right after the update, whose answer is lost, and again",
		"a canary deployment whose tasks never answer, and a rollback of it",
	} {
		h := corpus[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			once, again := simulate(t, h), simulate(t, h)
			if diff := cmp.Diff(once.log, again.log); diff != "" {
				t.Errorf("(-once +again)\n%s", diff)
			}
		})
	}
}
