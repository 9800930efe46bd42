// Package regions knows what AWS's regions are called.
package regions

import (
	"slices"
	"strings"

	"github.com/org/connect2/v2/internal/lazyregexp"
	"github.com/org/connect2/v2/internal/nearest"
)

// names are those of today, for suggestions. One that is newer is accepted as long as its area is known.
var names = strings.Fields(`af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2
	ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 ap-southeast-7 ca-central-1 ca-west-1
	eu-central-1 eu-central-2 eu-north-1 eu-south-1 eu-south-2 eu-west-1 eu-west-2 eu-west-3 il-central-1 me-central-1 me-south-1
	mx-central-1 sa-east-1 us-east-1 us-east-2 us-west-1 us-west-2 cn-north-1 cn-northwest-1 us-gov-east-1 us-gov-west-1
	us-iso-east-1 us-iso-west-1 us-isob-east-1 eusc-de-east-1`)

// form is that of every region: words, the last of them a direction, and a number.
var form = lazyregexp.New(`^[a-z]{2,}(?:-[a-z]+)*-([a-z]+)-\d+$`)

// directions are the words before the number.
var directions = strings.Fields("north south east west central northeast northwest southeast southwest")

// Nearest returns the region that a name likely stands for, or "".
func Nearest(written string) string { return nearest.One(written, names) }

// KnownArea reports whether a region is one of AWS's, or a new one beside them: us-west-3 may come, us-wset-2 will not.
func KnownArea(region string) bool {
	area := func(region string) string { return region[:max(0, strings.LastIndexByte(region, '-'))] }
	return slices.ContainsFunc(names, func(known string) bool { return area(known) == area(region) })
}

// Wrong says what is wrong with the name of a region: it has not the form of one, or is one misspelt. "" is nothing. A region in an area
// that is newer than this list is none of both.
func Wrong(region string) string {
	found, near := form.FindStringSubmatch(region), Nearest(region)
	switch {
	case found == nil && near == "":
		return "is not an AWS region: a name such as us-west-2"
	case found != nil && (near == "" || slices.Contains(directions, found[1]) || nearest.One(found[1], directions) == ""):
		return ""
	}
	return "is not an AWS region: did you mean " + near + "?"
}
