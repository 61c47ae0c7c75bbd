package contain

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

const seals = unix.F_SEAL_WRITE | unix.F_SEAL_GROW | unix.F_SEAL_SHRINK | unix.F_SEAL_SEAL

// newMemory returns an empty memory file that is no program.
func newMemory(name string) (*os.File, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate(name, flags|unix.MFD_NOEXEC_SEAL)
	if errors.Is(err, unix.EINVAL) { // kernels before 6.3 do not know that it is no program
		fd, err = unix.MemfdCreate(name, flags)
	}
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// seal makes f read-only for everybody and for good, and returns it opened for reading
// only.
func seal(f *os.File) (*os.File, error) {
	// Whoever holds a descriptor of it may read it, whatever user that is.
	if err := f.Chmod(0o444); err != nil {
		return nil, err
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		return nil, fmt.Errorf("seal the memory file: %w", err)
	}
	sealed, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
	if err != nil {
		return nil, fmt.Errorf("open the memory file for reading: %w", err)
	}
	set, err := unix.FcntlInt(sealed.Fd(), unix.F_GET_SEALS, 0)
	if err != nil || set&seals != seals {
		_ = sealed.Close() // opened for reading only
		return nil, fmt.Errorf("the memory file has the seals %#x, want %#x: %w", set, seals, err)
	}
	return sealed, nil
}

// Sealed returns a memory file that holds data, open for reading only, and sealed:
// nobody, root included, can write, shrink or grow it any more, through whatever
// descriptor or path.
func Sealed(name string, data []byte) (*os.File, error) {
	f, err := newMemory(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // its content is checked through the other descriptor
	if _, err := f.Write(data); err != nil {
		return nil, fmt.Errorf("write the memory file: %w", err)
	}
	sealed, err := seal(f)
	if err != nil {
		return nil, err
	}
	held, err := io.ReadAll(io.NewSectionReader(sealed, 0, int64(len(data))+1))
	if err == nil && !bytes.Equal(held, data) {
		err = errors.New("the memory file does not hold what was written")
	}
	if err != nil {
		_ = sealed.Close() // opened for reading only
		return nil, err
	}
	return sealed, nil
}

// Content gathers the files of a job in one memory file. It is made by NewContent, and
// closed by Close.
type Content struct {
	memory *os.File
	files  []File
	size   int64
}

// NewContent returns an empty Content.
func NewContent() (*Content, error) {
	memory, err := newMemory("writ-content")
	if err != nil {
		return nil, err
	}
	return &Content{memory: memory}, nil
}

// Add adds a file.
func (c *Content) Add(path string, executable bool, data []byte) error {
	return c.add(File{Path: path, Executable: executable}, data)
}

// AddToHome adds a file that lies in the home of the process, and is read by its own
// user only.
func (c *Content) AddToHome(path string, data []byte) error {
	return c.add(File{Path: path, Home: true}, data)
}

func (c *Content) add(f File, data []byte) error {
	if int64(len(data)) > MaxContent-c.size || len(c.files) == MaxFiles {
		return specError("file %q: there are too many files, or they are too large", f.Path)
	}
	if _, err := c.memory.Write(data); err != nil {
		return fmt.Errorf("write the memory file: %w", err)
	}
	digest := sha256.Sum256(data)
	f.Size, f.SHA256 = int64(len(data)), hex.EncodeToString(digest[:])
	c.files = append(c.files, f)
	c.size += int64(len(data))
	return nil
}

// Files lists what was added.
func (c *Content) Files() []File { return c.files }

// Close frees the memory.
func (c *Content) Close() error { return c.memory.Close() }
