package cli

import (
	"github.com/org/connect2/v2/pkg/project"
	"github.com/org/connect2/v2/pkg/run"
)

// environments are the names that --environment may have: those of the file, or the usual ones.
func environments() []string {
	if path := run.FileHere(); path != "" {
		if file, problems := project.Read(path); len(problems) == 0 {
			return file.List()
		}
	}
	return []string{"dev", "staging", "prod"}
}
