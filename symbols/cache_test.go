package symbols

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

func TestCache(t *testing.T) {
	name := libc(t)
	var opened atomic.Int32
	load := func() (*File, error) {
		opened.Add(1)
		return open(t, name, none{}), nil
	}
	var c Cache
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			f, err := c.Get(Key{Inode: 1}, load)
			if err != nil {
				t.Error(err)
				return
			}
			if _, _, ok := f.Lookup(f.image.section(".text").Addr + 4096); !ok {
				t.Error("nothing found")
			}
		})
	}
	wg.Wait()
	if opened.Load() != 1 {
		t.Errorf("opened %d times", opened.Load())
	}
	one := c.Memory()
	if one < 100<<10 || one > 10<<20 {
		t.Errorf("libc's tables take %d bytes", one)
	}

	// The bound holds, and what was used last stays.
	c.Limit = 3*one + one/2
	for i := range uint64(20) {
		for _, inode := range []uint64{1, 100 + i} {
			if _, err := c.Get(Key{Inode: inode}, load); err != nil {
				t.Fatal(err)
			}
		}
		if m := c.Memory(); m > c.Limit {
			t.Fatalf("%d bytes, the limit is %d", m, c.Limit)
		}
	}
	before := opened.Load()
	if _, err := c.Get(Key{Inode: 1}, load); err != nil || opened.Load() != before {
		t.Errorf("what was used most was dropped: %v", err)
	}

	// Failures are kept as well.
	problem := errors.New("problem")
	failed := 0
	for range 3 {
		if _, err := c.Get(Key{BuildID: "bad"}, func() (*File, error) { failed++; return nil, fmt.Errorf("x: %w", problem) }); !errors.Is(err, problem) {
			t.Error(err)
		}
	}
	if failed != 1 {
		t.Errorf("tried %d times", failed)
	}
}
