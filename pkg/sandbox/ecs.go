package sandbox

import "github.com/org/connect2/v2/pkg/sandbox/wire"

// ecsAPI is the ECS API on the engine.
func (s *Sandbox) ecsAPI() []*wire.JSONService { return nil }
