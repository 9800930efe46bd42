//go:build (!amd64 && !arm64) || race

package deflate

import "encoding/binary"

// Under the race detector every index is checked, here by the language: to have the detector look at each pointer took most of its time.
func load32(b []byte, i int) uint32 { return binary.LittleEndian.Uint32(b[i:]) }
func load64(b []byte, i int) uint64 { return binary.LittleEndian.Uint64(b[i:]) }
