// Package ownership gives files of a container's root to whom their folder belongs: GitHub runs Docker actions as root, and the
// runner's own user could neither read nor delete at the next checkout what they leave.
package ownership

import (
	"os"
	"path/filepath"
	"syscall"
)

// Inherit makes a file belong to the owner of its folder. It does nothing where this process is not root; a file that is not there,
// or that cannot be given away, stays as it is.
func Inherit(name string) {
	if os.Geteuid() != 0 {
		return
	}
	info, err := os.Stat(filepath.Dir(name))
	if err != nil {
		return
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok {
		_ = os.Lchown(name, int(owner.Uid), int(owner.Gid))
	}
}
