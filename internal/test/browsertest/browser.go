// Package browsertest drives Debian's Chromium, headless, over a pipe: for tests of pages that live, which take events and change.
package browsertest

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// Browser is one Chromium.
type Browser struct {
	t    *testing.T
	to   *os.File
	mu   sync.Mutex
	next int
	wait map[int]chan answer

	gone chan struct{}
}

type answer struct {
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// patience is how long one thing may take. The machine may be busy with other tests.
const patience = time.Minute

// Start starts a Chromium for the rest of the test; without one the test is skipped.
func Start(t *testing.T) *Browser {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed: the page is not looked at")
	}
	theirIn, ourOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ourIn, theirOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
		"--user-data-dir="+t.TempDir(), "--remote-debugging-pipe", "about:blank")
	cmd.ExtraFiles = []*os.File{theirIn, theirOut}
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting chromium: %v", err)
	}
	theirIn.Close()
	theirOut.Close()
	b := &Browser{t: t, to: ourOut, wait: map[int]chan answer{}, gone: make(chan struct{})}
	go b.listen(ourIn)
	t.Cleanup(func() {
		_, _ = b.call("", "Browser.close", nil) // it may have ended already
		stopped := time.AfterFunc(5*time.Second, cancel)
		_ = cmd.Wait() // how it ends is its own affair
		stopped.Stop()
		cancel()
		ourOut.Close()
	})
	return b
}

func (b *Browser) listen(from *os.File) {
	defer close(b.gone)
	defer from.Close()
	for in := bufio.NewReaderSize(from, 1<<20); ; {
		message, err := in.ReadBytes(0)
		if err != nil {
			return
		}
		var got struct {
			ID int `json:"id"`
			answer
		}
		if json.Unmarshal(message[:len(message)-1], &got) != nil || got.ID == 0 {
			continue // an event: nobody waits for it
		}
		b.mu.Lock()
		waiting := b.wait[got.ID]
		delete(b.wait, got.ID)
		b.mu.Unlock()
		if waiting != nil {
			waiting <- got.answer
		}
	}
}

// call sends one command of the DevTools protocol and returns its result.
func (b *Browser) call(session, method string, params any) (json.RawMessage, error) {
	b.mu.Lock()
	b.next++
	id, got := b.next, make(chan answer, 1)
	b.wait[id] = got
	message := map[string]any{"id": id, "method": method}
	if params != nil {
		message["params"] = params
	}
	if session != "" {
		message["sessionId"] = session
	}
	text, err := json.Marshal(message)
	if err == nil {
		_, err = b.to.Write(append(text, 0))
	}
	b.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	select {
	case a := <-got:
		if a.Error != nil {
			return nil, fmt.Errorf("%s: %s", method, a.Error.Message)
		}
		return a.Result, nil
	case <-b.gone:
		return nil, errors.New(method + ": chromium has ended")
	case <-time.After(patience):
		return nil, fmt.Errorf("%s: no answer in %s", method, patience)
	}
}

// Screen is what a page is looked at on.
type Screen struct {
	Width, Height int
	Dark          bool
	Still         bool // prefers-reduced-motion
}

// Page is one open page.
type Page struct {
	b       *Browser
	t       *testing.T
	session string
}

// Open opens an address.
func (b *Browser) Open(address string, screen Screen) *Page {
	b.t.Helper()
	var target struct{ TargetID string }
	b.must(&target, "", "Target.createTarget", map[string]any{"url": "about:blank"})
	var attached struct{ SessionID string }
	b.must(&attached, "", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true})
	p := &Page{b: b, t: b.t, session: attached.SessionID}
	p.Resize(screen)
	p.must(nil, "Page.enable", nil)
	p.must(nil, "Page.navigate", map[string]any{"url": address})
	return p
}

// Resize gives the page another screen.
func (p *Page) Resize(screen Screen) {
	p.t.Helper()
	p.must(nil, "Emulation.setDeviceMetricsOverride", map[string]any{"width": screen.Width, "height": screen.Height, "deviceScaleFactor": 1,
		"mobile": screen.Width < 600})
	scheme, motion := "light", "no-preference"
	if screen.Dark {
		scheme = "dark"
	}
	if screen.Still {
		motion = "reduce"
	}
	p.must(nil, "Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{
		{"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": motion}}})
}

// Eval evaluates an expression in the page, waits for it where it is a promise, and decodes its value into v, which may be nil.
func (p *Page) Eval(expression string, v any) {
	p.t.Helper()
	var out struct {
		Result struct {
			Value json.RawMessage `json:"value"`
		} `json:"result"`
		ExceptionDetails *struct {
			Text      string `json:"text"`
			Exception struct {
				Description string `json:"description"`
			} `json:"exception"`
		} `json:"exceptionDetails"`
	}
	p.must(&out, "Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true})
	if e := out.ExceptionDetails; e != nil {
		p.t.Fatalf("%s: %s %s", expression, e.Text, e.Exception.Description)
	}
	if v != nil {
		if err := json.Unmarshal(out.Result.Value, v); err != nil {
			p.t.Fatalf("%s: %v in %s", expression, err, out.Result.Value)
		}
	}
}

// Await waits until an expression is true in the page: it is asked each time the browser has drawn.
func (p *Page) Await(expression string) {
	p.t.Helper()
	var ok bool
	p.Eval(`new Promise(done => { const until = performance.now() + 30000, look = () => {
		let is = false; try { is = Boolean(`+expression+`); } catch { /* not there yet */ }
		if (is || performance.now() > until) done(is); else setTimeout(look, 30); }; look(); })`, &ok)
	if !ok {
		var text string
		p.Eval("document.body ? document.body.innerText : 'no page'", &text)
		p.t.Fatalf("%s did not come true; the page shows:\n%s", expression, text)
	}
}

// Press presses a key, such as Tab or Enter.
func (p *Page) Press(key string) {
	p.t.Helper()
	codes := map[string]int{"Tab": 9, "Enter": 13, "Escape": 27, " ": 32}
	down := map[string]any{"type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
	if key == "Enter" {
		down["text"] = "\r"
	}
	p.must(nil, "Input.dispatchKeyEvent", down)
	p.must(nil, "Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": codes[key]})
}

// Names returns the role and the name of everything that a screen reader is told of, as "role: name".
func (p *Page) Names() []string {
	p.t.Helper()
	var out struct {
		Nodes []struct {
			Ignored bool
			Role    struct{ Value string }
			Name    struct{ Value string }
		}
	}
	p.must(&out, "Accessibility.getFullAXTree", nil)
	var names []string
	for _, n := range out.Nodes {
		if !n.Ignored && n.Name.Value != "" {
			names = append(names, n.Role.Value+": "+n.Name.Value)
		}
	}
	return names
}

// Picture returns what the page looks like, as a PNG of its screen.
func (p *Page) Picture() []byte {
	p.t.Helper()
	var out struct{ Data string }
	p.must(&out, "Page.captureScreenshot", map[string]any{"format": "png"})
	picture, err := base64.StdEncoding.DecodeString(out.Data)
	if err != nil {
		p.t.Fatal(err)
	}
	return picture
}

func (p *Page) must(v any, method string, params any) {
	p.t.Helper()
	p.b.must(v, p.session, method, params)
}

func (b *Browser) must(v any, session, method string, params any) {
	b.t.Helper()
	result, err := b.call(session, method, params)
	if err == nil && v != nil {
		err = json.Unmarshal(result, v)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}
