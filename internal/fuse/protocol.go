package fuse

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// What is spoken over /dev/fuse (linux/fuse.h, version 7.31 of the protocol).

// version is what we speak; the kernel speaks no newer one with us.
const major, minor = 7, 31

// Requests (enum fuse_opcode).
const (
	opLookup      = 1
	opForget      = 2
	opGetAttr     = 3
	opOpen        = 14
	opRead        = 15
	opWrite       = 16
	opRelease     = 18
	opFsync       = 20
	opInit        = 26
	opOpenDir     = 27
	opReleaseDir  = 29
	opInterrupt   = 36
	opDestroy     = 38
	opBatchForget = 42
	opLseek       = 46
)

// What we tell of our own accord (enum fuse_notify_code).
const (
	notifyInvalInode = 2
	notifyStore      = 4
)

// Flags of INIT.
const (
	asyncRead     = 1 << 0
	bigWrites     = 1 << 5
	autoInvalData = 1 << 12
	maxPages      = 1 << 22
)

// Flags of what an open file is like (FOPEN_*).
const (
	openDirect    = 1 << 0
	openKeepCache = 1 << 1
	openStream    = 1 << 4
	openNoFlush   = 1 << 5
)

// getAttrFH tells that GETATTR has a file (FUSE_GETATTR_FH).
const getAttrFH = 1 << 0

// Sizes of structures, in bytes.
const (
	inHeaderSize  = 40 // struct fuse_in_header
	outHeaderSize = 16 // struct fuse_out_header
	initInSize    = 16 // struct fuse_init_in, as far as we look
	initOutSize   = 64 // struct fuse_init_out
	attrSize      = 88 // struct fuse_attr
	attrOutSize   = 16 + attrSize
	entryOutSize  = 40 + attrSize
	openOutSize   = 16
	ioInSize      = 40 // struct fuse_read_in, struct fuse_write_in
	releaseInSize = 24 // struct fuse_release_in
	storeSize     = 24 // struct fuse_notify_store_out
	invalSize     = 24 // struct fuse_notify_inval_inode_out
)

// MaxIO is how many bytes are read or written at a time, at most.
const MaxIO = 1 << 20

// A header begins every request.
type header struct {
	op     uint32
	unique uint64 // its number, which the answer repeats
	node   uint64
	tid    int // of the thread that waits, 0 if that is in another PID namespace
	body   []byte
}

// parse takes a request apart.
func parse(b []byte) (h header, err error) {
	if len(b) < inHeaderSize {
		return h, fmt.Errorf("fuse: request of %d bytes", len(b))
	}
	n := binary.NativeEndian.Uint32(b)
	if int64(n) != int64(len(b)) {
		return h, fmt.Errorf("fuse: request of %d bytes that says it has %d", len(b), n)
	}
	return header{
		op: binary.NativeEndian.Uint32(b[4:]), unique: binary.NativeEndian.Uint64(b[8:]), node: binary.NativeEndian.Uint64(b[16:]),
		tid: int(int32(binary.NativeEndian.Uint32(b[32:]))), body: b[inHeaderSize:],
	}, nil
}

// u32 and u64 are numbers of a request's body, 0 behind its end.
func (h *header) u32(at int) uint32 {
	if at+4 > len(h.body) {
		return 0
	}
	return binary.NativeEndian.Uint32(h.body[at:])
}

func (h *header) u64(at int) uint64 {
	if at+8 > len(h.body) {
		return 0
	}
	return binary.NativeEndian.Uint64(h.body[at:])
}

// attributes are a struct fuse_attr. What the kernel keeps of a file's content it keeps as long as changed, the time of its last change, is the same.
func attributes(node, size, changed uint64, mode uint32) []byte {
	b := make([]byte, attrSize)
	binary.NativeEndian.PutUint64(b, node)
	binary.NativeEndian.PutUint64(b[8:], size)
	binary.NativeEndian.PutUint64(b[32:], changed)
	binary.NativeEndian.PutUint32(b[60:], mode)
	binary.NativeEndian.PutUint32(b[64:], 1) // links
	return b
}

// stays is for how long attributes hold that do until Expire, in seconds; others are asked for each time.
const stays = 1 << 30

// attrOut is a struct fuse_attr_out.
func attrOut(node, size, changed uint64, mode uint32) []byte {
	b := make([]byte, attrOutSize-attrSize)
	if changed == 0 {
		binary.NativeEndian.PutUint64(b, stays)
	}
	return append(b, attributes(node, size, changed, mode)...)
}

// entryOut is a struct fuse_entry_out. The name does not stay.
func entryOut(node, size, changed uint64, mode uint32) []byte {
	b := make([]byte, entryOutSize-attrSize)
	binary.NativeEndian.PutUint64(b, node)
	if changed == 0 {
		binary.NativeEndian.PutUint64(b[24:], stays)
	}
	return append(b, attributes(node, size, changed, mode)...)
}

// initOut answers INIT, whose flags are those that the kernel knows.
func initOut(flags uint32) []byte {
	b := make([]byte, initOutSize)
	put := binary.NativeEndian.PutUint32
	put(b, major)
	put(b[4:], minor)
	put(b[8:], MaxIO) // read-ahead; the kernel takes what it has less
	put(b[12:], flags&(asyncRead|bigWrites|autoInvalData|maxPages))
	binary.NativeEndian.PutUint16(b[16:], 64) // requests in the background
	binary.NativeEndian.PutUint16(b[18:], 48)
	put(b[20:], MaxIO)
	put(b[24:], 1) // nanosecond
	binary.NativeEndian.PutUint16(b[28:], uint16(MaxIO/unix.Getpagesize()))
	return b
}
