package watch

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed" // the page
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/org/connect2/v2/internal/loopback"
	"github.com/org/connect2/v2/pkg/awserr"
	"github.com/org/connect2/v2/pkg/rollout"
)

//go:embed page.html
var document []byte

// Options say what a page shows.
type Options struct {
	Names  Names
	Config aws.Config // whose credentials renew themselves
	Now    func() time.Time
	Speed  func() float64      // how many times as fast as the wall clock Now goes
	Redact func(string) string // takes known secrets out of what is shown; nil: there are none
	Stage  func() *Stage       // of a sandbox; nil elsewhere
	Every  time.Duration       // between two looks, by the wall clock; 0: the pace by which rollouts are followed
}

// Page is a service on a page. However many browsers look at it, AWS is read once for all of them, and not at all while none does.
type Page struct {
	options Options
	look    func(context.Context, time.Time) (reading, error)

	mu       sync.Mutex
	shown    []byte // the view, as JSON
	without  []byte // the same without the moment of the look: what decides whether anything has changed
	beat     []byte // when it was last looked
	version  int    // of shown
	viewers  map[chan struct{}]bool
	wake     chan struct{} // somebody wants to see it now
	seen     trace
	last     reading
	problem  *Problem
	failures int // reads that failed in a row
}

// New returns a page. Run keeps it up to date.
func New(o Options) *Page {
	return &Page{options: o, look: newReader(o.Config, o.Names).read, viewers: map[chan struct{}]bool{}, wake: make(chan struct{}, 1)}
}

// leastWait is the least time between two looks by the wall clock: a world that goes a hundred times as fast is not asked that much
// more often.
const leastWait = 250 * time.Millisecond

// mostRead is how long one look may take, by the wall clock.
const mostRead = 20 * time.Second

// Run looks at the service for as long as somebody looks at the page, until the context ends.
func (p *Page) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		case <-timer.C:
		}
		if !p.watched() {
			continue // until the next viewer wakes it
		}
		timer.Reset(p.Look(ctx))
	}
}

// Wake has the page look now.
func (p *Page) Wake() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *Page) watched() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.viewers) > 0
}

// Look reads the service once, shows what it found, and returns how long to wait until the next look.
func (p *Page) Look(ctx context.Context) time.Duration {
	limited, cancel := context.WithTimeout(ctx, mostRead)
	defer cancel()
	now := p.options.Now()
	r, err := p.look(limited, now)
	if ctx.Err() != nil {
		return leastWait
	}
	p.take(r, err, now)
	return p.pause(err)
}

// take takes what a look found into the page.
func (p *Page) take(r reading, err error, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.seen, p.last, p.problem, p.failures = p.seen.with(r), r, nil, 0
	} else {
		p.failures++
		since := now
		if p.problem != nil {
			since = p.problem.Since
		}
		p.problem = problemOf(err, since)
	}
	p.show(now)
}

// show makes the view anew, and tells the viewers where it is another one. p.mu is held.
func (p *Page) show(now time.Time) {
	v := viewOf(p.last, p.seen)
	v.Problem, v.Speed = p.problem, p.options.Speed()
	if p.last.at.IsZero() { // nothing was read yet
		v.Service, v.Cluster, v.Region = p.options.Names.Service, p.options.Names.Cluster, p.options.Names.Region
		v.Headline, v.State = "not read yet", ""
	}
	if p.options.Stage != nil {
		v.Stage = p.options.Stage()
	}
	v.At, v.From = time.Time{}, v.From.Truncate(time.Minute)
	without := p.encode(v)
	p.beat = p.encode(map[string]any{"at": now, "read": p.last.at, "speed": v.Speed})
	v.At = now
	if !bytes.Equal(without, p.without) {
		p.shown, p.without = p.encode(v), without
		p.version++
	}
	for viewer := range p.viewers {
		select {
		case viewer <- struct{}{}:
		default: // it has not taken the last one yet, and gets this one instead
		}
	}
}

// encode writes JSON without the secrets that are known.
func (p *Page) encode(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // a type of this package that has no form in JSON
	}
	if p.options.Redact != nil {
		text = []byte(p.options.Redact(string(text)))
	}
	return text
}

// pause is how long to wait until the next look, by the wall clock.
func (p *Page) pause(err error) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.options.Every > 0 && err == nil {
		return p.options.Every
	}
	wait := rollout.Pace(p.options.Now().Sub(p.seen.changed), p.failures)
	if err != nil && !awserr.IsThrottled(err) {
		wait = min(wait, 10*time.Second) // whoever has renewed his credentials need not wait long
	}
	return max(time.Duration(float64(wait)/max(p.options.Speed(), 1)), leastWait)
}

// The parts of the page whose exact text the browser is told to run.
var policy = "default-src 'none'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
	"style-src " + hashOf("style") + "; script-src " + hashOf("script")

// hashOf names the text of an element of the page in a content security policy.
func hashOf(element string) string {
	_, rest, _ := strings.Cut(string(document), "<"+element+">")
	text, _, found := strings.Cut(rest, "</"+element+">")
	if !found {
		panic("the page has no " + element)
	}
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// ServeHTTP serves the page, its events, and what it shows as one document, under a path that ends with a slash.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	switch {
	case !loopback.Names(r.Host):
		http.Error(w, "This page is for this machine alone: open it by 127.0.0.1 or localhost.", http.StatusForbidden)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "This page changes nothing: it is read with GET.", http.StatusMethodNotAllowed)
	case r.URL.Path == "/":
		h.Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(document) // a browser that has gone needs no answer
	case r.URL.Path == "/events":
		p.stream(w, r)
	case r.URL.Path == "/view.json":
		h.Set("Content-Type", "application/json")
		p.mu.Lock()
		shown := p.shown
		p.mu.Unlock()
		_, _ = w.Write(shown)
	default:
		http.NotFound(w, r)
	}
}

// beats is the time after which a viewer hears something at the latest.
const beats = 10 * time.Second

// stream sends the view whenever it is another one, and between that when it was last read, until the viewer goes.
func (p *Page) stream(w http.ResponseWriter, r *http.Request) {
	out := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	if _, err := fmt.Fprint(w, "retry: 1000\n\n"); err != nil || out.Flush() != nil {
		return
	}
	if r.Method == http.MethodHead {
		return
	}
	news := make(chan struct{}, 1)
	news <- struct{}{}
	p.mu.Lock()
	p.viewers[news] = true
	p.mu.Unlock()
	p.Wake()
	defer func() {
		p.mu.Lock()
		delete(p.viewers, news)
		p.mu.Unlock()
	}()
	sent := -1
	ticker := time.NewTicker(beats)
	defer ticker.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-news:
		case <-ticker.C:
		}
		p.mu.Lock()
		view, beat, version := p.shown, p.beat, p.version
		p.mu.Unlock()
		var err error
		if view != nil && version != sent {
			_, err = fmt.Fprintf(w, "event: view\ndata: %s\n\n", view)
			sent = version
		}
		if beat != nil && err == nil {
			_, err = fmt.Fprintf(w, "event: beat\ndata: %s\n\n", beat)
		}
		if err != nil || out.Flush() != nil {
			return
		}
	}
}
