package bounded

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// far is the other side: it takes the request, answers after some time, and gives the body in pieces.
type far struct {
	takes   time.Duration // for each read of the request's body
	header  time.Duration // until the header comes; negative: never
	pieces  []string
	between time.Duration // before each piece; the last one is followed by the end, or by silence
	hangs   bool
	length  int64
}

func (f far) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		for {
			if _, err := r.Body.Read(make([]byte, 4)); err != nil {
				break
			}
			if err := pause(r.Context(), f.takes); err != nil {
				return nil, err
			}
		}
	}
	if f.header < 0 {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	if err := pause(r.Context(), f.header); err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: 200, Header: http.Header{}, ContentLength: f.length, Body: io.NopCloser(&pieces{f, r.Context()})}, nil
}

func (f far) Do(r *http.Request) (*http.Response, error) { return f.RoundTrip(r) }

type pieces struct {
	far
	ctx context.Context
}

func (p *pieces) Read(to []byte) (int, error) {
	if len(p.far.pieces) == 0 {
		if p.hangs {
			<-p.ctx.Done()
			return 0, p.ctx.Err()
		}
		return 0, io.EOF
	}
	if err := pause(p.ctx, p.between); err != nil {
		return 0, err
	}
	n := copy(to, p.far.pieces[0])
	p.far.pieces = p.far.pieces[1:]
	return n, nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestLimits(t *testing.T) {
	limits := Limits{Silence: 10 * time.Second, Whole: time.Minute, Size: 20, Objects: 3, Values: 4}
	counted := Limits{Objects: 3, Values: 4}
	ten := []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "0"}
	silent, slow := &TimeoutError{After: 10 * time.Second}, &TimeoutError{After: time.Minute, Whole: true}
	tests := []struct {
		name   string
		far    far
		body   string
		limits Limits
		want   string
		err    error // *TimeoutError; a *TooLargeError by its text in tooLarge
		large  string
		took   time.Duration
	}{
		{name: "answers", far: far{header: 9 * time.Second, pieces: ten[:2], between: 9 * time.Second}, limits: limits,
			want: "12", took: 27 * time.Second},
		{name: "no header", far: far{header: -1}, limits: limits, err: silent, took: 10 * time.Second},
		{name: "no body", far: far{hangs: true}, limits: limits, err: silent, took: 10 * time.Second},
		{name: "the body breaks off", far: far{pieces: ten[:1], hangs: true}, limits: limits, want: "1", err: silent, took: 10 * time.Second},
		{name: "trickles", far: far{pieces: ten, between: 9 * time.Second}, limits: limits, want: "123456", err: slow, took: time.Minute},
		{name: "trickles, and may", far: far{pieces: ten, between: 9 * time.Second}, limits: Limits{Silence: 10 * time.Second},
			want: "1234567890", took: 90 * time.Second},
		{name: "takes the request slowly", far: far{takes: 9 * time.Second}, body: "123456789012", limits: limits, took: 27 * time.Second},
		{name: "does not take the request", far: far{takes: time.Hour}, body: "123456789012", limits: limits, err: silent,
			took: 10 * time.Second},
		{name: "whole alone", far: far{header: -1}, limits: Limits{Whole: time.Minute}, err: slow, took: time.Minute},
		{name: "no limits", far: far{header: time.Hour, pieces: []string{strings.Repeat("{", 30)}}, limits: Limits{},
			want: strings.Repeat("{", 30),
			took: time.Hour},
		{name: "as large as may be", far: far{pieces: []string{"12345678901234567890"}}, limits: limits, want: "12345678901234567890"},
		{name: "larger", far: far{pieces: []string{"12345678901234567890", "1"}}, limits: limits, want: "12345678901234567890", large: "0 MiB"},
		{name: "says that it is larger", far: far{length: 21}, limits: limits, large: "0 MiB"},
		{name: "objects", far: far{pieces: []string{`[{},[]]`}}, limits: counted, want: `[{},[]]`},
		{name: "too many objects", far: far{pieces: []string{`[{},`, `{},{}]`}}, limits: counted, want: `[{},`, large: "3 objects and lists"},
		{name: "too many values", far: far{pieces: []string{`[1,1,1,1,`, `1,1]`}}, limits: counted, want: `[1,1,1,1,`, large: "4 values"},
		{name: "in strings they are none", far: far{pieces: []string{`["{{{{[[,,,\"{,,`, `{{{"]`}}, limits: counted,
			want: `["{{{{[[,,,\"{,,{{{"]`},
		{name: "elements", far: far{pieces: []string{`<a><b/><b/></a>`}}, limits: counted, want: `<a><b/><b/></a>`},
		{name: "too many elements", far: far{pieces: []string{` <a/><a/>`, `<a/><a/><a/>`}}, limits: counted,
			want: ` <a/><a/>`, large: "4 values"},
		{name: "neither is plain text", far: far{pieces: []string{`a{{{{[,,,,,<<<<<`}}, limits: counted, want: `a{{{{[,,,,,<<<<<`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, ask := range []func(*http.Request) (*http.Response, error){
				NewTransport(tt.far, tt.limits).RoundTrip,
				NewClient(tt.far, func(*http.Request) Limits { return tt.limits }).Do,
			} {
				synctest.Test(t, func(t *testing.T) {
					began := time.Now()
					request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://x", nil)
					if err != nil {
						t.Fatal(err)
					}
					if tt.body != "" {
						request.Body = io.NopCloser(strings.NewReader(tt.body))
					}
					response, err := ask(request)
					var got []byte
					if err == nil {
						if response.Request != request {
							t.Error("the answer names another request")
						}
						got, err = io.ReadAll(response.Body)
						_ = response.Body.Close()
					}
					var late *TimeoutError
					var large *TooLargeError
					switch {
					case tt.err != nil:
						if !errors.As(err, &late) || *late != *tt.err.(*TimeoutError) {
							t.Errorf("error %v, want %v", err, tt.err)
						}
					case tt.large != "":
						if !errors.As(err, &large) || large.Limit != tt.large || large.RetryableError() {
							t.Errorf("error %v, want one that names %q", err, tt.large)
						}
					case err != nil:
						t.Errorf("error %v", err)
					}
					if string(got) != tt.want || time.Since(began) != tt.took {
						t.Errorf("%q after %s, want %q after %s", got, time.Since(began), tt.want, tt.took)
					}
				})
			}
		})
	}
}

// Who reads slowly is not the other side, and the caller's own end is not a timeout.
func TestWhoseTimeItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://x", nil)
		if err != nil {
			t.Fatal(err)
		}
		limits := Limits{Silence: 10 * time.Second}
		response, err := NewTransport(far{pieces: []string{"1", "2"}, hangs: true}, limits).RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			time.Sleep(time.Minute)
			if n, err := response.Body.Read(make([]byte, 8)); n != 1 || err != nil {
				t.Errorf("read %d: %v", n, err)
			}
		}
		time.AfterFunc(time.Second, cancel)
		if _, err := response.Body.Read(make([]byte, 8)); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		if _, err := response.Body.Read(make([]byte, 8)); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
}

// What is still sent of a request after the answer has begun is not waited for.
func TestAnswerBeforeTheRequestIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://x", io.NopCloser(bytes.NewReader(make([]byte, 8))))
		if err != nil {
			t.Fatal(err)
		}
		var body io.ReadCloser
		response, err := NewTransport(roundTrip(func(r *http.Request) (*http.Response, error) {
			body = r.Body
			return far{pieces: []string{"1"}}.RoundTrip(r.Clone(r.Context()))
		}), Limits{Silence: time.Second}).RoundTrip(request.WithContext(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = body.Read(make([]byte, 4))
		time.Sleep(time.Minute)
		if got, err := io.ReadAll(response.Body); string(got) != "1" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
