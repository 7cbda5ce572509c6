package linux_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"farcall/internal/linux"
	"farcall/symbols"
)

// marker is a function to find in this process.
func marker() {}

// TestImagesOfSelf finds a function of this very process by its address.
func TestImagesOfSelf(t *testing.T) {
	im, err := linux.ReadImages(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if im.Exe < 0 {
		t.Fatalf("the program is none of %+v", im.Files)
	}
	var cache symbols.Cache
	f, err := im.OpenCached(im.Exe, &cache)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := im.OpenCached(im.Exe, &cache); err != nil || again != f {
		t.Errorf("opened again: %v", err)
	}
	bias, err := f.BiasFromAuxv(symbols.ParseAuxv(im.Auxv, f.Class, f.ByteOrder()))
	if err != nil {
		t.Fatal(err)
	}
	places, err := f.Placements(im.Files[im.Exe].Mappings)
	if err != nil || len(places) != 1 || places[0].Bias != bias {
		t.Errorf("%+v, %v; auxv says 0x%x", places, err, bias)
	}
	addr := uint64(reflect.ValueOf(marker).Pointer())
	s, off, ok := f.Lookup(addr - bias)
	if !ok || off != 0 || !strings.HasSuffix(s.Name, "linux_test.marker") {
		t.Errorf("0x%x is %s+%d", addr, s.Name, off)
	}
	file, line, ok := f.Line(addr - bias)
	if !ok || filepath.Base(file) != "images_test.go" || line == 0 {
		t.Errorf("0x%x is at %s:%d", addr, file, line)
	}
	vdso, start, err := im.VDSO()
	if err != nil {
		t.Fatal(err)
	}
	all, err := vdso.Find(symbols.Pattern{Name: "*clock_gettime*", Text: "*clock_gettime*"})
	if err != nil || start == 0 {
		t.Errorf("vDSO at 0x%x: %v, %v", start, all, err)
	}
}

func TestOpenSymbolsRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, err := linux.OpenSymbols(dir); err == nil {
		t.Error("opened a directory")
	}
	if _, err := linux.OpenSymbols("/dev/zero"); err == nil {
		t.Error("opened a device")
	}
	if _, err := linux.OpenSymbols(dir + "/x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(dir+"/text", []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := linux.OpenSymbols(dir + "/text"); !errors.Is(err, symbols.ErrNotELF) {
		t.Errorf("%v", err)
	}
}
