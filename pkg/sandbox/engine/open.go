package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
)

// What the world answers when no port is given: everything exists.
type (
	anyImage  struct{}
	noLogs    struct{}
	anySecret struct{}
	anyTarget struct{}
)

func (anyImage) Resolve(ref string) (Image, error) {
	if _, digest, pinned := strings.Cut(ref, "@"); pinned {
		return Image{Digest: digest}, nil
	}
	sum := sha256.Sum256([]byte(ref))
	return Image{Digest: "sha256:" + hex.EncodeToString(sum[:])}, nil
}

func (noLogs) GroupExists(string) bool                      { return true }
func (noLogs) Append(string, string, time.Time, string)     {}
func (anySecret) Read(string) (string, error)               { return "", nil }
func (anyTarget) Exists(string) bool                        { return true }
func (anyTarget) Settings(string) TargetSettings            { return TargetSettings{} }
func (anyTarget) Register(string, string, int, time.Time)   {}
func (anyTarget) SetHealth(string, string, int, Health)     {}
func (anyTarget) Deregister(string, string, int, time.Time) {}

func (s TargetSettings) filled() TargetSettings {
	if s.Interval == 0 {
		s.Interval = 30 * time.Second
	}
	if s.HealthyThreshold == 0 {
		s.HealthyThreshold = 5
	}
	if s.UnhealthyThreshold == 0 {
		s.UnhealthyThreshold = 2
	}
	if s.DeregistrationDelay == 0 && !s.NoDelay {
		s.DeregistrationDelay = 300 * time.Second
	}
	return s
}
