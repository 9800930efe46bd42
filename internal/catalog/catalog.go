// Package catalog lists the actions of this module, for the programs that hold all of them.
package catalog

import (
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/ecrpush"
	"github.com/org/connect2/v2/pkg/ecsdeploy"
	"github.com/org/connect2/v2/pkg/ecsrollback"
	"github.com/org/connect2/v2/pkg/migrate"
	"github.com/org/connect2/v2/pkg/release"
	"github.com/org/connect2/v2/pkg/runtask"
)

// Scratch returns the actions that need nothing but their binary: those of the scratch image.
func Scratch() []*action.Action {
	return []*action.Action{
		ecrpush.Action,
		migrate.Action,
		ecsdeploy.Action,
		ecsrollback.Action,
		release.Action,
		runtask.Action,
	}
}

// Named returns the action of this name, or nil.
func Named(actions []*action.Action, name string) *action.Action {
	for _, a := range actions {
		if a.Meta.Name == name {
			return a
		}
	}
	return nil
}
