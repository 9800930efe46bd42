//go:build (amd64 || arm64) && !race

package deflate

import "unsafe"

// load32 and load64 read at an index that the caller has checked: checked again each time they cost a tenth of the whole. Both processors
// have the lowest byte first.
func load32(b []byte, i int) uint32 {
	return *(*uint32)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), i))
}
func load64(b []byte, i int) uint64 {
	return *(*uint64)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), i))
}
