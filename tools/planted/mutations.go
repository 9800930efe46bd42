package main

// mutations are what is planted, each a fault of a kind that was once made or could be.
var mutations = []mutation{
	// What is green.
	{"a newer deployment is not noticed", "pkg/rollout/evaluate.go",
		"	if primary == nil || primary.ID == t.ID || slices.Contains(t.Known",
		"	if true || primary == nil || primary.ID == t.ID || slices.Contains(t.Known"},
	{"a complete deployment whose tasks are missing has succeeded", "pkg/rollout/evaluate.go",
		"	case d.Running < d.Desired:\n		return Verdict{Replacing, reason}", "	case d.Running < 0:\n		return Verdict{Replacing, reason}"},
	{"all new tasks running is success", "pkg/rollout/evaluate.go",
		"		return Verdict{Settling, d.Reason}\n	}\n	return Verdict{Rolling, d.Reason}",
		"		return Verdict{Succeeded, d.Reason}\n	}\n	return Verdict{Rolling, d.Reason}"},
	{"a rollback of ECS that succeeded is success", "pkg/rollout/evaluate.go",
		"		return Verdict{RolledBack, reason}\n	case types.ServiceDeploymentStatusRollbackFailed",
		"		return Verdict{Succeeded, reason}\n	case types.ServiceDeploymentStatusRollbackFailed"},
	{"a rollback under way is over", "pkg/rollout/evaluate.go",
		"RollbackInProgress:\n		return Verdict{RollingBack, reason}", "RollbackInProgress:\n		return Verdict{RolledBack, reason}"},

	// What is taken back.
	{"a deployment that a newer one ended has succeeded", "pkg/rollout/evaluate.go",
		"		return Verdict{Superseded, reason}\n	default:", "		return Verdict{Succeeded, reason}\n	default:"},
	{"tasks that start together are so many observations", "pkg/ecsview/wave.go",
		"		waves = max(waves, wave)", "		waves += min(wave, 1)"},
	{"a deployment is given up at a quarter of its time", "pkg/rollout/state.go",
		"deadline: now.Add(s.timeout),", "deadline: now.Add(s.timeout / 4),"},
	{"any cause that is known ends a release at the first failure", "pkg/rollout/decide.go",
		"s.diagnosis.Alike >= enough(s.last.Desired)", "s.diagnosis.Alike >= 1"},

	// What is put back.
	{"a failed deployment that ECS leaves is left too", "pkg/rollout/decide.go",
		"	case phase == Failed, phase == RollbackFailed:\n		w.change = putBack\n",
		"	case phase == Failed, phase == RollbackFailed:\n		w.change = noWay\n"},
	{"the timeout ends nothing", "pkg/rollout/decide.go",
		"	case !now.Before(s.deadline):\n		return ByTimeout", "	case now.IsZero():\n		return ByTimeout"},
	{"a change is carried out on the observation on which it was decided", "pkg/rollout/decide.go",
		"	case wanted != m.want:\n		m.want = wanted\n		m.look(0)",
		"	case wanted != m.want && wanted.change != putBack:\n		m.want = wanted\n		m.look(0)"},

	// Rollbacks.
	{"a rollback under way is stopped", "pkg/history/decide.go",
		"	case now.State == Joining:\n		p.Do = Join", "	case now.State == Joining:\n		p.Do = Stop"},
	{"a rollback goes back to the oldest", "pkg/history/choose.go",
		"	for _, d := range older {\n		if p.whyNot", "	for _, d := range slices.Backward(older) {\n		if p.whyNot"},
	{"what came back by a rollback is forgotten", "pkg/history/choose.go",
		"	if why := p.cameBack(); why != \"\" {", "	if why := p.cameBack(); why == \"-\" {"},

	// Repetitions, revisions, migrations, secrets, time.
	{"a deployment in force is deployed again", "pkg/ecsdeploy/decide.go",
		"			return nothing\n", "			return deploy\n"},
	{"a deployment under way is deployed again", "pkg/ecsdeploy/decide.go",
		"		return follow\n", "		return nothing\n"},
	{"a migration that a person stopped came to its own end", "pkg/oneoff/ending.go",
		"	return t.StopCode == types.TaskStopCodeEssentialContainerExited\n}\n\n// outruns",
		"	return t.StopCode != types.TaskStopCodeTaskFailedToStart\n}\n\n// outruns"},
	{"a migration runs beside another one", "pkg/oneoff/ending.go",
		"		case hasBegun(other):\n			return &others[i]", "		case hasBegun(other):\n			return nil"},
	{"what fails is deployed although a migration failed", "pkg/migrate/execute.go",
		"		if *result.ExitCode == 0 {", "		if *result.ExitCode >= 0 {"},
}
