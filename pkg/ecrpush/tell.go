package ecrpush

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/org/connect2/v2/internal/sorted"
	"github.com/org/connect2/v2/pkg/image"
	"github.com/org/connect2/v2/pkg/record"
	"github.com/org/connect2/v2/pkg/render"
)

// teller puts a push into words. It is told of events from several goroutines at once.
type teller struct{ events record.Sink }

// event tells what happens to one blob, manifest or tag.
func (t teller) event(e image.Event) {
	switch e.Kind {
	case image.Reused:
		t.events.Notef("%s reused (%s)", short(e.Digest), render.Size(e.Size))
	case image.Mounted:
		t.events.Notef("%s mounted (%s)", short(e.Digest), render.Size(e.Size))
	case image.Compressed:
		t.events.Notef("%s compressed: %s to %s in %s", short(e.Digest), render.Size(e.Read), render.Size(e.Size), render.Took(e.Took))
	case image.Uploaded:
		t.events.Notef("%s uploaded (%s in %s, %s/s)",
			short(e.Digest), render.Size(e.Size), render.Took(e.Took), render.Size(rate(e.Size, e.Took)))
	case image.Sending:
		t.events.Progressf("sending: %s so far", render.Size(e.Size))
	case image.Put:
		t.events.Notef("%s stored (%s)", short(e.Digest), e.Text)
	case image.Tagged:
		t.events.Notef("tag %s points at %s", e.Text, short(e.Digest))
	case image.Attached:
		t.events.Notef("%s attached to the image (%s)", short(e.Digest), cmp.Or(e.Text, "no type"))
	case image.Retried:
		if e.Took > 0 {
			t.events.Notef("%s: %v; trying again in %s", e.Text, e.Err, render.Took(e.Took))
		} else {
			t.events.Notef("%s", e.Text)
		}
	case image.Noted:
		t.events.Notef("%s", e.Text)
	case image.Remarked:
		if e.Err != nil {
			t.events.Warnf("Slower push", "%s: %v", e.Text, e.Err)
		} else {
			t.events.Warnf("Slower push", "%s", e.Text)
		}
	}
}

// nothing tells that there is no source, which the inputs call no failure.
func (t teller) nothing(p *Push) {
	t.events.Notef("%s is not there: nothing is pushed, as if-absent says", p.in.Source)
}

// plan tells what the source is and what will be done with it, or in a dry run what would be.
func (t teller) plan(p *Push) {
	image := "image ID " + p.src.ImageID()
	if digest, ok := p.plan.Digest(); ok {
		image = digest
	}
	t.events.Notef("source %s: %s, %s%s", p.in.Source, p.src.Kind, image, platforms(p.src))
	for _, note := range p.src.Notes {
		t.events.Warnf("Source", "%s", note)
	}
	if p.signature != "" {
		t.events.Notef("signed: %s verifies with one of the keys", p.signature)
	}
	if len(p.plan.Tags) == 0 {
		t.events.Noticef("No tags", "the image is pushed by its digest alone; a lifecycle rule on untagged images may remove it")
	}
	sentences := sentencesOf(p.plan)
	for _, also := range p.plan.Also {
		sentences = append(sentences, sentencesOf(also)...)
	}
	if !p.in.DryRun {
		for _, s := range sentences {
			t.events.Decided(s, "")
		}
		return
	}
	text := "Dry run, nothing was sent: " + strings.Join(sentences, "; ") + "."
	t.events.Noticef("Dry run", "%s", text)
	t.events.Section(record.Section{Name: "dry-run", Blocks: []record.Block{
		{Paragraph: []record.Text{{Text: text}}}, {Table: tagTable(p.plan.Tags)}}})
}

// sentencesOf says what the push will do at one destination.
func sentencesOf(plan *image.Plan) []string {
	var out []string
	to := cmp.Or(plan.To.URI, plan.To.Name)
	if plan.To.Missing {
		out = append(out, "the repository "+plan.To.Name+" is created")
	}
	w, more := plan.Work(), sentToo(plan.Referrers())
	switch {
	case plan.Unchanged():
		return append(out, to+" has the image and its tags already: nothing to do")
	case w == image.Work{} && len(more) > 0:
		out = append(out, to+" has the image already")
	case w == image.Work{}:
		out = append(out, to+" has the image already: only tags move")
	default:
		var parts []string
		if w.Compress > 0 {
			parts = append(parts, fmt.Sprintf("%d to compress (%s)", w.Compress, render.Size(w.CompressBytes)))
		}
		if w.Send > 0 {
			parts = append(parts, fmt.Sprintf("%d to send as they are (%s)", w.Send, render.Size(w.SendBytes)))
		}
		if w.Reuse > 0 {
			parts = append(parts, fmt.Sprintf("%d reused (%s)", w.Reuse, render.Size(w.ReuseBytes)))
		}
		out = append(out, "layers and configurations for "+to+": "+strings.Join(parts, ", "))
	}
	if len(more) > 0 {
		out = append(out, referrersText(more)+" for "+to)
	}
	for _, m := range plan.Tags {
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
	sent := fmt.Sprintf("%d sent (%s), %d reused (%s)", uploaded, render.Size(r.Sent), reused, render.Size(r.Reused))
	if len(r.Blobs) == 0 {
		sent = "none: the image was there"
	}
	t.events.Notef("%s@%s after %s; layers and configurations: %s", p.plan.To.URI, r.Digest, render.Took(took), sent)
	var more []string
	for i, one := range r.Also {
		more = append(more, fmt.Sprintf("%s@%s (%s sent, %s reused)", p.also[i].URI, one.Digest, render.Size(one.Sent), render.Size(one.Reused)))
		t.events.Notef("%s", more[i])
	}

	for _, fact := range []record.Fact{
		{Name: "Image", Value: record.Text{Text: p.plan.To.URI + "@" + r.Digest, Form: record.Code}},
		{Name: "Also", Value: record.Text{Text: strings.Join(more, ", "), Form: record.Code}},
		{Name: "Source", Value: record.Text{Text: p.in.Source + " (" + string(p.src.Kind) + ")", Form: record.Code}},
		{Name: "Signature verified", Value: record.Text{Text: p.signature, Form: record.Code}},
		{Name: "With it", Value: record.Text{Text: referrersText(r.Referrers)}},
		{Name: "Platforms", Value: record.Text{Text: strings.Join(p.src.Platforms(), ", ")}},
		{Name: "Tags moved", Value: record.Text{Text: strings.Join(r.Moved, ", ")}},
		{Name: "Tags that had it", Value: record.Text{Text: strings.Join(r.Kept, ", ")}},
		{Name: "Layers and configurations", Value: record.Text{Text: sent}},
		{Name: "Compressed", Value: record.Text{Text: compressed(r)}},
	} {
		t.events.Fact(fact.Name, fact.Value)
	}
	if len(r.Blobs) > 0 {
		t.events.Section(record.Section{Name: "layers", Title: "Layers", Folded: true, Blocks: []record.Block{{Table: layerTable(r.Blobs)}}})
	}
}

// compressed says how much was compressed to how much.
func compressed(r image.Result) string {
	if r.Unpacked == 0 {
		return ""
	}
	var packed int64
	for _, b := range r.Blobs {
		if b.Read > 0 {
			packed += b.Size
		}
	}
	return fmt.Sprintf("%s to %s", render.Size(r.Unpacked), render.Size(packed))
}

// layerColumns are the columns of the table of layers.
var layerColumns = []struct {
	head string
	cell func(image.BlobResult) record.Text
}{
	{"Digest", func(b image.BlobResult) record.Text { return record.Text{Text: short(b.Digest), Form: record.Code} }},
	{"How", func(b image.BlobResult) record.Text { return record.Text{Text: string(b.How)} }},
	{"Size", func(b image.BlobResult) record.Text { return record.Text{Text: render.Size(b.Size)} }},
	{"Before compression", func(b image.BlobResult) record.Text {
		if b.Read == 0 {
			return record.Text{}
		}
		return record.Text{Text: render.Size(b.Read)}
	}},
	{"Upload", func(b image.BlobResult) record.Text {
		if b.Took == 0 {
			return record.Text{}
		}
		return record.Text{Text: render.Took(b.Took)}
	}},
}

// layerTable lists how each blob came into the repository, the largest first.
func layerTable(blobs []image.BlobResult) *record.Table {
	sorted.Stable(blobs, func(a, b image.BlobResult) int { return cmp.Compare(b.Size, a.Size) })
	table := &record.Table{}
	for _, column := range layerColumns {
		table.Head = append(table.Head, column.head)
	}
	for _, b := range blobs {
		var row []record.Text
		for _, column := range layerColumns {
			row = append(row, column.cell(b))
		}
		table.Rows = append(table.Rows, row)
	}
	return table
}

func tagTable(tags []image.TagMove) *record.Table {
	table := &record.Table{Head: []string{"Tag", "Now", ""}}
	for _, m := range tags {
		does := "moves"
		switch {
		case m.Keep:
			does = "stays"
		case m.From == "":
			does = "is new"
		}
		table.Rows = append(table.Rows, []record.Text{
			{Text: m.Tag, Form: record.Code}, {Text: short(m.From), Form: record.Code}, {Text: does}})
	}
	return table
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
