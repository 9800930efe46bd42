// Package all lists every action of this module: those of the scratch image, and tf-apply, which has an image of its own.
package all

import (
	"github.com/org/connect2/v2/internal/catalog"
	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/tfapply"
)

// Actions returns every action.
func Actions() []*action.Action { return append(catalog.Scratch(), tfapply.Action) }
