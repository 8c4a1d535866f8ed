package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/fapilog/fapilog/internal/compress"
)

// block is how much is compressed between two looks at whether to stop, in
// bytes.
const block = 256 << 10

// A keeper compresses and deletes rotated files. It has one goroutine, and that
// only while there is work.
type keeper struct {
	options  Options
	format   *compress.Format // nil: they are not compressed
	sys      system
	troubles *troubles

	ctx    context.Context // ends with the sink
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	series  series
	todo    bool // look at the series again
	running bool

	writer compress.Writer // of the goroutine; nil before it is needed
	buf    []byte
}

func newKeeper(o Options, format *compress.Format, sys system, t *troubles) *keeper {
	k := &keeper{options: o, format: format, sys: sys, troubles: t}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	return k
}

// tidy has the rotated files of s looked at, soon.
func (k *keeper) tidy(s series) {
	if k.format == nil && !k.options.retains() {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.series, k.todo = s, true
	if !k.running && k.ctx.Err() == nil {
		k.running = true
		k.wg.Go(k.run)
	}
}

// close stops the goroutine and waits for it.
func (k *keeper) close() {
	k.cancel()
	k.wg.Wait()
}

func (k *keeper) run() {
	for {
		k.mu.Lock()
		if !k.todo || k.ctx.Err() != nil {
			k.running = false
			k.writer, k.buf = nil, nil
			k.mu.Unlock()
			return
		}
		s := k.series
		k.todo = false
		k.mu.Unlock()
		k.look(s)
	}
}

// look does all there is to do. A panic of a compressor must not end the
// program.
func (k *keeper) look(s series) {
	defer func() {
		if r := recover(); r != nil {
			k.writer = nil
			k.troubles.add(fmt.Errorf("file: keep rotated files of %s: panic: %v", s.path(), r))
		}
	}()
	all, temporaries, err := s.list()
	if err != nil {
		k.troubles.add(fmt.Errorf("file: look for rotated files of %s: %w", s.path(), err))
		return
	}
	for _, name := range temporaries { // of a program that was killed
		k.remove(s, name)
	}
	all = k.expire(s, all)
	for i := range all {
		if k.format == nil || all[i].plain == "" {
			continue
		}
		if err := k.compress(s, &all[i]); k.ctx.Err() != nil {
			return
		} else if err != nil {
			k.troubles.add(fmt.Errorf("file: compress %s: %w", s.in(all[i].plain), err))
		}
	}
	k.shrink(s, all)
}

// expire deletes what is too old or too many, and returns the rest.
func (k *keeper) expire(s series, all []rotated) (rest []rotated) {
	now := time.Now()
	for i, r := range all {
		tooMany := k.options.MaxBackups > 0 && i < len(all)-k.options.MaxBackups
		tooOld := k.options.MaxAge > 0 && r.last(now).Before(now.Add(-k.options.MaxAge))
		if tooMany || tooOld {
			k.drop(s, r)
		} else {
			rest = append(rest, r)
		}
	}
	return rest
}

// shrink deletes the oldest files until the rest is small enough.
func (k *keeper) shrink(s series, all []rotated) {
	if k.options.MaxTotalSize == 0 {
		return
	}
	var total int64
	for _, r := range all {
		total += r.size
	}
	for _, r := range all {
		if total <= k.options.MaxTotalSize {
			return
		}
		k.drop(s, r)
		total -= r.size
	}
}

func (k *keeper) drop(s series, r rotated) {
	for _, name := range r.names() {
		k.remove(s, name)
	}
}

// remove deletes a file. That it is not there any more is good, too.
func (k *keeper) remove(s series, name string) {
	if err := os.Remove(s.in(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		k.troubles.add(fmt.Errorf("file: delete rotated file: %w", err))
	}
}

// compress puts a compressed file in the place of r. The plain file is deleted
// last: as long as it is there, a compressed one may be what a power failure left
// of it, or of another format, and is made again.
func (k *keeper) compress(s series, r *rotated) error {
	packed := r.plain + k.format.Extension
	temp := s.in(temporary(packed))
	size, err := k.pack(s.in(r.plain), temp)
	if err == nil {
		err = k.sys.rename(temp, s.in(packed))
	}
	if errors.Is(err, fs.ErrNotExist) { // deleted by somebody else
		if _, gone := os.Lstat(s.in(r.plain)); errors.Is(gone, fs.ErrNotExist) {
			*r = rotated{stamp: r.stamp}
			err = nil
		}
	}
	if err != nil || r.plain == "" {
		k.remove(s, temporary(packed))
		return err
	}
	for _, name := range r.packed {
		if name != packed {
			k.remove(s, name)
		}
	}
	k.remove(s, r.plain)
	*r = rotated{stamp: r.stamp, packed: []string{packed}, size: size}
	return nil
}

var errGrowing = errors.New("another program still writes to it")

// pack compresses a file to another one, which it leaves there if it fails.
func (k *keeper) pack(from, to string) (size int64, err error) {
	in, err := k.sys.open(from, os.O_RDONLY, 0)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	info, err := in.Stat()
	if err != nil {
		return 0, err
	}
	out, err := k.sys.open(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, DefaultMode)
	if err != nil {
		return 0, err
	}
	defer func() {
		err = errors.Join(err, out.Close())
		if err == nil {
			k.troubles.add(k.sys.keepTime(to, info))
		}
	}()
	k.troubles.add(inherit(out, info))
	if err := k.stream(out, io.NewSectionReader(in, 0, info.Size())); err != nil {
		return 0, err
	}
	// The original may have been on the disk for days: it is not given up for
	// something that is not.
	if err := out.Sync(); err != nil {
		return 0, err
	}
	if now, err := in.Stat(); err != nil || now.Size() != info.Size() {
		return 0, errors.Join(err, errGrowing)
	}
	done, err := out.Stat()
	if err != nil {
		return 0, err
	}
	return done.Size(), nil
}

// stream compresses what it reads until the sink is closed.
func (k *keeper) stream(to io.Writer, from io.Reader) error {
	if k.writer == nil {
		k.writer, k.buf = k.format.New(), make([]byte, block)
	}
	k.writer.Reset(to)
	for {
		if err := k.ctx.Err(); err != nil {
			return err
		}
		n, err := from.Read(k.buf)
		if _, err := k.writer.Write(k.buf[:n]); err != nil {
			return err
		}
		if err == io.EOF {
			return k.writer.Close()
		}
		if err != nil {
			return err
		}
	}
}
