package status

import "github.com/org/connect2/v2/pkg/operate"

// State is how a service is doing, in one word.
type State = operate.State

// The states.
const (
	Steady      = operate.Steady
	Deploying   = operate.Deploying
	RollingBack = operate.RollingBack
	Degraded    = operate.Degraded
	Empty       = operate.Empty
)
