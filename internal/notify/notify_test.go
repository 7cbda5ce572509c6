package notify

import (
	"testing"
	"unsafe"
)

// TestLayout holds the structures against what the numbers of the requests say about their sizes (asm-generic/ioctl.h).
func TestLayout(t *testing.T) {
	for _, c := range []struct {
		name          string
		request, size uintptr
	}{
		{"seccomp_notif", iocRecv, unsafe.Sizeof(Notification{})},
		{"seccomp_notif_resp", iocSend, unsafe.Sizeof(response{})},
		{"seccomp_notif_addfd", iocAddFD, unsafe.Sizeof(addFD{})},
		{"id", iocIDValid, 8},
	} {
		if want := c.request >> 16 & 0x3fff; c.size != want {
			t.Errorf("%s has %d bytes, want %d", c.name, c.size, want)
		}
	}
	var n Notification
	if off := unsafe.Offsetof(n.Args); off != 32 {
		t.Errorf("arguments at %d", off)
	}
}
