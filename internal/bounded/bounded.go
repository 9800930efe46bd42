// Package bounded bounds one exchange over HTTP: how long nothing may come, how long all of it may take, and how much may come.
package bounded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// Limits are those of one exchange. Zero is none.
type Limits struct {
	// Silence is how long nothing may move: no byte of the request is taken, no header and no byte of the answer comes. While
	// nobody reads the answer, the time does not run.
	Silence time.Duration
	// Whole is how long all of it may take, from the first byte of the request to the last of the answer.
	Whole time.Duration
	// Size is how many bytes the body of the answer may have.
	Size int64
	// Objects and Values are how many objects and lists, and how many values, an answer in JSON may hold, since {} takes three bytes
	// on the wire and a thousand in memory. In XML all elements count as values.
	Objects, Values int
}

// TimeoutError says that the other side kept silent, or took too long. The exchange may have had its effect.
type TimeoutError struct {
	After time.Duration
	Whole bool // all of it took too long, though something moved
}

// Error says how long was waited.
func (e *TimeoutError) Error() string {
	if e.Whole {
		return fmt.Sprintf("the answer was not complete after %s", e.After)
	}
	return fmt.Sprintf("nothing came for %s", e.After)
}

// Timeout makes it a timeout of the network, as net.Error has it.
func (*TimeoutError) Timeout() bool { return true }

// Temporary says that it may pass.
func (*TimeoutError) Temporary() bool { return true }

// ConnectionError makes AWS's SDK try again, also where the answer had begun.
func (*TimeoutError) ConnectionError() bool { return true }

// TooLargeError says that more came than any answer of the service can hold.
type TooLargeError struct{ Limit string }

// Error names the limit.
func (e *TooLargeError) Error() string {
	return "the answer has more than " + e.Limit + ", and was not read on"
}

// RetryableError makes AWS's SDK give up: the next answer would be no smaller.
func (*TooLargeError) RetryableError() bool { return false }

// Client is what AWS's SDK and net/http have for sending a request.
type Client interface {
	Do(*http.Request) (*http.Response, error)
}

type client struct {
	next   Client
	limits func(*http.Request) Limits
}

// NewClient returns a client that keeps each request of next to its limits.
func NewClient(next Client, limits func(*http.Request) Limits) Client { return client{next, limits} }

// Do sends the request.
func (c client) Do(r *http.Request) (*http.Response, error) {
	return exchange(r, c.next.Do, c.limits(r))
}

type transport struct {
	next   http.RoundTripper
	limits Limits
}

// NewTransport returns a transport that keeps each request of next to the limits.
func NewTransport(next http.RoundTripper, limits Limits) http.RoundTripper {
	return transport{next, limits}
}

// RoundTrip sends the request.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	return exchange(r, t.next.RoundTrip, t.limits)
}

func exchange(r *http.Request, send func(*http.Request) (*http.Response, error), limits Limits) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	w := &watch{limits: limits, cancel: cancel, began: time.Now()}
	out := r.WithContext(ctx)
	if r.Body != nil && r.Body != http.NoBody {
		out.Body = &sent{ReadCloser: r.Body, watch: w}
	}
	w.arm()
	response, err := send(out)
	w.answered()
	if err != nil {
		if late := w.late(); late != nil {
			err = late
		}
		cancel(nil)
		return nil, err
	}
	response.Request = r
	if limits.Size > 0 && response.ContentLength > limits.Size && r.Method != http.MethodHead {
		cancel(nil)
		_ = response.Body.Close() // nothing of it was read
		return nil, tooLarge(limits.Size)
	}
	response.Body = &received{body: response.Body, watch: w, ctx: ctx, left: limits.Size,
		values: counter{objects: limits.Objects, values: limits.Values}}
	return response, nil
}

// watch ends the exchange when its time is over.
type watch struct {
	limits Limits
	cancel context.CancelCauseFunc
	began  time.Time

	mu    sync.Mutex
	timer *time.Timer
	heard bool // the header of the answer has come: what is still sent of the request does not count any more
	err   *TimeoutError
}

// arm begins to wait for something to move, or begins anew.
func (w *watch) arm() {
	left, late := w.limits.Silence, &TimeoutError{After: w.limits.Silence}
	if w.limits.Whole > 0 {
		if rest := max(0, w.limits.Whole-time.Since(w.began)); left == 0 || rest < left {
			left, late = rest, &TimeoutError{After: w.limits.Whole, Whole: true}
		}
	} else if left == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
	w.timer = time.AfterFunc(left, func() {
		w.mu.Lock()
		w.err = late
		w.mu.Unlock()
		w.cancel(late)
	})
}

// moved begins to wait anew, since something of the request was taken.
func (w *watch) moved() {
	w.mu.Lock()
	heard := w.heard
	w.mu.Unlock()
	if !heard {
		w.arm()
	}
}

// answered ends the wait for the header of the answer.
func (w *watch) answered() {
	w.mu.Lock()
	w.heard = true
	w.mu.Unlock()
	w.disarm()
}

func (w *watch) disarm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
}

// late returns the error of an exchange whose time was over, or nil.
func (w *watch) late() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		return nil
	}
	return w.err
}

// sent is the body of a request: each read of it is something that moves.
type sent struct {
	io.ReadCloser
	watch *watch
}

// Read hands on.
func (s *sent) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	s.watch.moved()
	return n, err
}

// received is the body of an answer.
type received struct {
	body   io.ReadCloser
	watch  *watch
	ctx    context.Context
	left   int64 // of the size; ignored where there is no limit
	values counter
	err    error // of an answer that is not read on
}

// Read reads what has come, or waits for it.
func (b *received) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if err := b.ctx.Err(); err != nil { // a body that is there already does not ask
		return 0, b.ended(err)
	}
	b.watch.arm()
	n, err := b.body.Read(p)
	b.watch.disarm()
	if limits := b.watch.limits; limits.Size > 0 {
		if b.left -= int64(n); b.left < 0 {
			b.err = tooLarge(limits.Size)
			return 0, b.err
		}
	}
	if what := b.values.count(p[:n]); what != "" {
		b.err = &TooLargeError{Limit: what}
		return 0, b.err
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.ended(err)
	}
	return n, err
}

// ended is the error of a body that broke off.
func (b *received) ended(err error) error {
	if late := b.watch.late(); late != nil {
		return late
	}
	return err
}

// Close ends the exchange.
func (b *received) Close() error {
	b.watch.disarm()
	err := b.body.Close()
	b.watch.cancel(nil)
	return err
}

func tooLarge(size int64) error { return &TooLargeError{Limit: fmt.Sprintf("%d MiB", size>>20)} }

// counter counts what a body is made of, as far as its first byte says what it is written in.
type counter struct {
	objects, values       int // the limits; 0: none
	sawObjects, sawValues int
	kind                  byte
	quoted, escaped       bool
}

// count takes the next bytes, and returns what there is too much of, or "".
func (c *counter) count(p []byte) string {
	if c.objects == 0 && c.values == 0 {
		return "" // no limits
	}
	objects, values := 0, 0
	for _, b := range p {
		if c.kind == 0 && b != ' ' && b != '\t' && b != '\r' && b != '\n' {
			c.kind = b
		}
		switch c.kind {
		case '<':
			if b == '<' {
				values++
			}
		case '{', '[':
			switch {
			case c.escaped:
				c.escaped = false
			case c.quoted && b == '\\':
				c.escaped = true
			case b == '"':
				c.quoted = !c.quoted
			case c.quoted:
			case b == '{', b == '[':
				objects++
			case b == ',':
				values++
			}
		}
	}
	c.sawObjects += objects
	c.sawValues += values
	switch {
	case c.objects > 0 && c.sawObjects > c.objects:
		return fmt.Sprintf("%d objects and lists", c.objects)
	case c.values > 0 && c.sawValues > c.values:
		return fmt.Sprintf("%d values", c.values)
	}
	return ""
}
