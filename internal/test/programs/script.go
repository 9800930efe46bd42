package programs

import (
	"os"

	"github.com/rogpeppe/go-internal/testscript"
)

// Inherit hands on to the programs of a script what Go's runtime is told in the environment, which a script leaves out otherwise: how the
// collector works, and how long the race detector waits at each program's end.
func Inherit(env *testscript.Env) error {
	for _, name := range []string{"GOGC", "GOMEMLIMIT", "GORACE"} {
		if value, ok := os.LookupEnv(name); ok {
			env.Setenv(name, value)
		}
	}
	return nil
}
