package authscript

import "io"

// From worthAnotherCore bytes on they are written on another core while the next
// ones are made; largeChunk at a time, since handing over takes time too.
const (
	worthAnotherCore = 2 << 20
	largeChunk       = 512 << 10
)

// chunks writes buffers to w, one after the other.
type chunks struct {
	w io.Writer
	// Of those that write on another core:
	full, empty chan []byte
	done        chan error
}

// newChunks returns chunks for about size bytes, and the first buffer to fill.
// They must be closed.
func newChunks(w io.Writer, size int) (*chunks, []byte) {
	c := &chunks{w: w}
	if size < worthAnotherCore {
		return c, make([]byte, 0, min(chunk, size))
	}
	c.full, c.empty, c.done = make(chan []byte, 1), make(chan []byte, 2), make(chan error, 1)
	c.empty <- make([]byte, 0, largeChunk)
	go c.work()
	return c, make([]byte, 0, largeChunk)
}

func (c *chunks) work() {
	var err error
	for buf := range c.full {
		if err == nil {
			_, err = c.w.Write(buf)
		}
		c.empty <- buf
	}
	c.done <- err
}

// write writes buf, at the latest until close, and returns the buffer to go on
// with.
func (c *chunks) write(buf []byte) ([]byte, error) {
	if c.full == nil {
		_, err := c.w.Write(buf)
		return buf[:0], err
	}
	c.full <- buf
	return (<-c.empty)[:0], nil
}

// close waits until all is written, and returns the error of writing on another
// core.
func (c *chunks) close() error {
	if c.full == nil {
		return nil
	}
	close(c.full)
	return <-c.done
}
