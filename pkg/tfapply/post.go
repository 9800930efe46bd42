package tfapply

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/run"
)

// silence is how long an apply may give no sign before it is taken for dead.
const silence = 6 * beat

// Post is the step after the job's others: where an apply is still at work, because the job was cancelled meanwhile, it waits
// for its end and tells it. It returns the exit code: 0 where there is nothing to wait for or all is well.
func Post(ctx context.Context, env *action.Env) int {
	file := env.Var("STATE_" + stateName)
	if file == "" {
		return 0
	}
	log := env.Events
	told := false
	for {
		st, err := readStatus(file)
		switch {
		case err != nil:
			log.Warnf("How the apply ended is not known", "%v", err)
			return action.Unknown.ExitCode()
		case st.Ended && !told:
			return 0 // the step itself has told everything
		case st.Ended && st.Outcome.ExitCode() == 0:
			log.Noticef("The apply is complete", "%s: %s", st.Place, st.Text)
			return 0
		case st.Ended:
			log.Errorf("The apply ended as "+string(st.Outcome), "%s: %s", st.Place, st.Text)
			return st.Outcome.ExitCode()
		case time.Since(st.Beat) > silence:
			log.Errorf("The apply gives no sign",
				"%s: %s; the last sign is of %s. Its container is gone: look at the state, its lock, and errored.tfstate",
				st.Place, st.Text, st.Beat.UTC().Format(time.TimeOnly))
			return action.Unknown.ExitCode()
		}
		if !told {
			told = true
			log.Notef("%s: %s; it goes on although the job was cancelled, and this step waits for it", st.Place, st.Text)
		}
		select {
		case <-ctx.Done():
			log.Warnf("The apply is still at work", "%s: %s", st.Place, st.Text)
			return action.Unknown.ExitCode()
		case <-time.After(time.Second):
		}
	}
}

func readStatus(file string) (Status, error) {
	var st Status
	text, err := os.ReadFile(file)
	if err != nil {
		return st, fmt.Errorf("the status of the apply: %w", err)
	}
	if err := json.Unmarshal(text, &st); err != nil {
		return st, fmt.Errorf("the status of the apply, %s: %w", file, err)
	}
	return st, nil
}

// PostMain is Post as a container's entry point.
func PostMain() int {
	ctx, stop := run.WithSignals(context.Background())
	defer stop()
	return Post(ctx, run.NewEnv("tf-apply-post", os.Stdout))
}
