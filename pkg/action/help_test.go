package action_test

import (
	"context"
	"regexp"
	"slices"
	"testing"

	"github.com/org/connect2/v2/pkg/action"
)

type account struct {
	Region string `input:"region" doc:"The region."`
	Role   string `input:"role" required:"true" doc:"The role."`
}

type grouped struct {
	account `group:"AWS"`
	Tail    int    `input:"tail" doc:"How many."`
	Cluster string `input:"cluster" required:"true" doc:"The cluster."`
	Spare   string `input:"spare" group:"Later" doc:"Not often."`
	Service string `input:"service" required:"true" doc:"The service."`
}

// What must be given stands first, and what many commands share behind what is the command's own.
func TestHelpIsInTheOrderOfReading(t *testing.T) {
	a := action.Define(action.Meta{Name: "grouped", Description: "Groups"}, func(context.Context, *action.Env, grouped) (struct{}, error) {
		return struct{}{}, nil
	})
	var got []string
	for _, m := range regexp.MustCompile(`(?m)^(?:  --([a-z]+)(?: .*)?|([A-Z]\w+):)$`).FindAllStringSubmatch(
		a.Help(action.Field{Name: "where", Kind: action.String, Group: "Names"}), -1) {
		got = append(got, m[1]+m[2])
	}
	want := []string{"Flags", "cluster", "service", "tail", "Names", "where", "AWS", "role", "region", "Later", "spare",
		"Output", "events", "report", "json", "debug", "Outputs"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
