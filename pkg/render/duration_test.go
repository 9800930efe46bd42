package render

import (
	"testing"
	"time"
)

func TestTook(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0.0s", 0: "0.0s", 4400 * time.Millisecond: "4.4s", 59949 * time.Millisecond: "59.9s",
		59950 * time.Millisecond: "1m00s", 65 * time.Second: "1m05s", 187 * time.Second: "3m07s", 3599600 * time.Millisecond: "1h00m00s",
		2*time.Hour + 3*time.Minute: "2h03m00s", 25*time.Hour + time.Second: "25h00m01s",
	} {
		if got := Took(d); got != want {
			t.Errorf("Took(%v) = %s, want %s", d, got, want)
		}
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 1_250_000: "1.2 MB", 3_210_000_000: "3.21 GB"} {
		if got := Size(n); got != want {
			t.Errorf("Size(%d) = %s, want %s", n, got, want)
		}
	}
}
