package run

import (
	"errors"
	"fmt"
	"os"

	"github.com/org/connect2/v2/internal/ownership"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/render"
)

// kept are the files that a run's record is kept in; nil where none was asked for.
type kept struct {
	events *os.File
	lines  *render.Lines
	report *os.File
}

// keep opens the files before anything happens, so that a path that cannot be written is told before anything is changed.
func (r *runner) keep(in action.Common) error {
	var problems []error
	open := func(input, name string) *os.File {
		if name == "" {
			return nil
		}
		f, err := os.Create(name)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", input, err))
			return nil
		}
		ownership.Inherit(name)
		return f
	}
	r.kept = kept{events: open("events", in.Events), report: open("report", in.Report)}
	if r.kept.events != nil {
		r.recorder.Read(func(rec *record.Record) { r.kept.lines = render.NewLines(r.kept.events, rec, r.secrets) })
		r.recorder.Show(r.kept.lines.Emit)
	}
	return errors.Join(problems...)
}

// report writes the report and closes the files. What fails is told: how the run ended does not depend on it.
func (r *runner) report() {
	var problems []error
	if r.kept.report != nil {
		r.recorder.Read(func(rec *record.Record) { problems = append(problems, render.HTML(r.kept.report, rec, r.secrets)) })
		problems = append(problems, r.kept.report.Close())
	}
	if r.kept.events != nil {
		problems = append(problems, r.kept.lines.Err(), r.kept.events.Close())
	}
	if err := errors.Join(problems...); err != nil {
		r.events.Warnf("The record of the run is not complete", "%v", err)
	}
}
