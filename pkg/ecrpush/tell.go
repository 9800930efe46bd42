package ecrpush

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/org/connect2/v2/pkg/action"
	"github.com/org/connect2/v2/pkg/image"
	"github.com/org/connect2/v2/pkg/render"
)

// teller puts a push into words. It is told of events from several goroutines at once.
type teller struct{ log *action.Log }

// event tells what happens to one blob, manifest or tag.
func (t teller) event(e image.Event) {
	switch e.Kind {
	case image.Reused:
		t.log.Eventf("%s reused (%s)", short(e.Digest), bytes(e.Size))
	case image.Mounted:
		t.log.Eventf("%s mounted (%s)", short(e.Digest), bytes(e.Size))
	case image.Compressed:
		t.log.Eventf("%s compressed: %s to %s in %s", short(e.Digest), bytes(e.Read), bytes(e.Size), action.Took(e.Took))
	case image.Uploaded:
		t.log.Eventf("%s uploaded (%s in %s, %s/s)", short(e.Digest), bytes(e.Size), action.Took(e.Took), bytes(rate(e.Size, e.Took)))
	case image.Sending:
		t.log.Progressf("sending: %s so far", bytes(e.Size))
	case image.Put:
		t.log.Eventf("%s stored (%s)", short(e.Digest), e.Text)
	case image.Tagged:
		t.log.Eventf("tag %s points at %s", e.Text, short(e.Digest))
	case image.Retried:
		if e.Took > 0 {
			t.log.Eventf("%s: %v; trying again in %s", e.Text, e.Err, action.Took(e.Took))
		} else {
			t.log.Eventf("%s", e.Text)
		}
	case image.Remarked:
		if e.Err != nil {
			t.log.Warnf("Slower push", "%s: %v", e.Text, e.Err)
		} else {
			t.log.Warnf("Slower push", "%s", e.Text)
		}
	}
}

// nothing tells that there is no source, which the inputs call no failure.
func (t teller) nothing(p *Push) {
	t.log.Eventf("%s is not there: nothing is pushed, as if-absent says", p.in.Source)
}

// plan tells what the source is and what will be done with it, or in a dry run what would be.
func (t teller) plan(p *Push) {
	image := "image ID " + p.src.ImageID()
	if digest, ok := p.plan.Digest(); ok {
		image = digest
	}
	t.log.Eventf("source %s: %s, %s%s", p.in.Source, p.src.Kind, image, platforms(p.src))
	for _, note := range p.src.Notes {
		t.log.Warnf("Source", "%s", note)
	}
	if len(p.plan.Tags) == 0 {
		t.log.Noticef("No tags", "the image is pushed by its digest alone; a lifecycle rule on untagged images may remove it")
	}
	sentences := p.sentences()
	if !p.in.DryRun {
		for _, s := range sentences {
			t.log.Eventf("%s", s)
		}
		return
	}
	text := "Dry run, nothing was sent: " + strings.Join(sentences, "; ") + "."
	t.log.Noticef("Dry run", "%s", text)
	t.log.Summary(render.Join(0, render.Heading("Dry run of a push to "+p.plan.To.Name), render.Text(text)+"\n\n", tagTable(p.plan.Tags)))
}

// sentences says what the push will do.
func (p *Push) sentences() []string {
	var out []string
	to := cmp.Or(p.plan.To.URI, p.plan.To.Name)
	if p.plan.To.Missing {
		out = append(out, "the repository "+p.plan.To.Name+" is created")
	}
	w := p.plan.Work()
	switch {
	case p.plan.NoChange():
		return append(out, to+" has the image and its tags already: nothing to do")
	case w == image.Work{}:
		out = append(out, to+" has the image already: only tags move")
	default:
		var parts []string
		if w.Compress > 0 {
			parts = append(parts, fmt.Sprintf("%d to compress (%s)", w.Compress, bytes(w.CompressBytes)))
		}
		if w.Send > 0 {
			parts = append(parts, fmt.Sprintf("%d to send as they are (%s)", w.Send, bytes(w.SendBytes)))
		}
		if w.Reuse > 0 {
			parts = append(parts, fmt.Sprintf("%d reused (%s)", w.Reuse, bytes(w.ReuseBytes)))
		}
		out = append(out, "layers and configurations for "+to+": "+strings.Join(parts, ", "))
	}
	for _, m := range p.plan.Tags {
		switch {
		case m.Keep:
			out = append(out, "tag "+m.Tag+" stays")
		case m.From == "":
			out = append(out, "tag "+m.Tag+" is new")
		default:
			out = append(out, "tag "+m.Tag+" moves from "+short(m.From))
		}
	}
	return out
}

// done tells how the push ended, in one line and in the job summary.
func (t teller) done(p *Push, r image.Result, took time.Duration) {
	uploaded, reused := 0, 0
	for _, b := range r.Blobs {
		if b.How == image.Uploaded {
			uploaded++
		} else {
			reused++
		}
	}
	sent := fmt.Sprintf("%d sent (%s), %d reused (%s)", uploaded, bytes(r.Sent), reused, bytes(r.Reused))
	if len(r.Blobs) == 0 {
		sent = "none: the image was there"
	}
	t.log.Eventf("%s@%s after %s; layers and configurations: %s", p.plan.To.URI, r.Digest, action.Took(took), sent)

	title := "Pushed to " + p.plan.To.Name
	if !r.Changed() {
		title = "Nothing to push to " + p.plan.To.Name
	}
	compressed := ""
	if r.Unpacked > 0 {
		var packed int64
		for _, b := range r.Blobs {
			if b.Read > 0 {
				packed += b.Size
			}
		}
		compressed = fmt.Sprintf("%s to %s", bytes(r.Unpacked), bytes(packed))
	}
	t.log.Summary(render.Join(0,
		render.Heading(title),
		render.Facts(
			[2]render.Cell{"Image", render.Code(p.plan.To.URI + "@" + r.Digest)},
			[2]render.Cell{"Source", render.Code(p.in.Source) + " (" + string(p.src.Kind) + ")"},
			[2]render.Cell{"Platforms", render.Text(strings.Join(p.src.Platforms(), ", "))},
			[2]render.Cell{"Tags moved", render.Text(strings.Join(r.Moved, ", "))},
			[2]render.Cell{"Tags that had it", render.Text(strings.Join(r.Kept, ", "))},
			[2]render.Cell{"Layers and configurations", render.Text(sent)},
			[2]render.Cell{"Compressed", render.Text(compressed)},
			[2]render.Cell{"Took", action.Took(took)},
		),
		layerTable(r.Blobs),
	))
}

// layerTable lists how each blob came into the repository, the largest first, folded.
func layerTable(blobs []image.BlobResult) string {
	if len(blobs) == 0 {
		return ""
	}
	slices.SortStableFunc(blobs, func(a, b image.BlobResult) int { return cmp.Compare(b.Size, a.Size) })
	var rows [][]render.Cell
	for _, b := range blobs {
		before := ""
		if b.Read > 0 {
			before = bytes(b.Read)
		}
		took := ""
		if b.Took > 0 {
			took = action.Took(b.Took)
		}
		rows = append(rows, []render.Cell{render.Code(short(b.Digest)), string(b.How), bytes(b.Size), before, took})
	}
	return render.Details("Layers", render.Table([]render.Cell{"Digest", "", "Size", "Before compression", "Upload"}, rows...))
}

func tagTable(tags []image.TagMove) string {
	var rows [][]render.Cell
	for _, m := range tags {
		does := "moves"
		switch {
		case m.Keep:
			does = "stays"
		case m.From == "":
			does = "is new"
		}
		now := ""
		if m.From != "" {
			now = render.Code(short(m.From))
		}
		rows = append(rows, []render.Cell{render.Code(m.Tag), now, does})
	}
	return render.Table([]render.Cell{"Tag", "Now", ""}, rows...)
}

func platforms(s *image.Source) string {
	if list := s.Platforms(); len(list) > 0 {
		return " for " + strings.Join(list, ", ")
	}
	return ""
}

// short shortens a digest to what people compare.
func short(digest string) string {
	if _, hex, ok := strings.Cut(digest, ":"); ok && len(hex) > 12 {
		return hex[:12]
	}
	return digest
}

func rate(n int64, took time.Duration) int64 {
	if took <= 0 {
		return n
	}
	return int64(float64(n) / took.Seconds())
}

// bytes writes a size with a unit, in powers of 1000 as registries bill them.
func bytes(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1000)
	case n < 1000_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1000_000)
	default:
		return fmt.Sprintf("%.2f GB", float64(n)/1000_000_000)
	}
}
