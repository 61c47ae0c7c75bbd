package signer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/runwrit/writ/runbook"
)

// Restoration is a file as its signer left it, and how it was got back.
type Restoration struct {
	Data []byte
	How  string
}

// Restorer is what a Format is if it can undo what happens to files on their
// way, such as the conversion of line ends.
type Restorer interface {
	Format
	// Restore returns the bytes that were signed; false if rb needs no repair or
	// if there is none. It only looks: the caller has the result verified.
	Restore(rb *runbook.Runbook) (Restoration, bool)
}

// RepairOptions say how to repair a file.
type RepairOptions struct {
	Restorer Restorer
	// Intact judges the file, and then the restored one: nil if it is well made
	// and its digest and signature value verify, whoever signed it. It is needed.
	Intact func(ctx context.Context, rb *runbook.Runbook) error
	// Check writes nothing.
	Check bool
}

// RepairState says what RepairFile found. The zero value means that nobody
// looked.
type RepairState string

// The states.
const (
	StateIntact   RepairState = "intact"   // as its signer left it: nothing to do
	StateDamaged  RepairState = "damaged"  // could be repaired; nothing was written
	StateRepaired RepairState = "repaired" // the restored file is in place
)

// Repaired is what RepairFile did, and how the signed bytes were got back.
type Repaired struct {
	State RepairState
	How   string
}

// UnrepairableError says that a file is not as its signer left it, and that
// there is no way back.
type UnrepairableError struct {
	Path string
	Err  error // what is wrong with it
}

func (e *UnrepairableError) Error() string {
	return fmt.Sprintf("%q cannot be repaired: %v", e.Path, e.Err)
}

// Unwrap returns what the verifier said.
func (e *UnrepairableError) Unwrap() error { return e.Err }

// RepairFile puts the bytes that were signed in the place of a file that was
// damaged on its way, and leaves every other file alone. What it restored is
// judged before anything is written.
//
// The file is replaced as by SignFile: read once, symbolic and hard links
// refused, in one step, with mode, owner and access control list kept; any
// failure leaves it as it was and nothing beside it. It fails with
// *UnrepairableError, *InputError, *ChangedError, or the error of the file
// system.
func RepairFile(ctx context.Context, path string, o RepairOptions) (_ Repaired, err error) {
	defer inFolder(path, &err)
	if o.Restorer == nil || o.Intact == nil {
		return Repaired{}, errors.New("repair: a format and a verifier are needed")
	}
	f, err := readFile(path)
	if err != nil {
		return Repaired{}, err
	}
	amiss := o.Intact(ctx, f.rb)
	if err := ctx.Err(); err != nil { // whatever the verifier says then is not about the file
		return Repaired{}, fmt.Errorf("repair %q: %w", path, err)
	}
	if amiss == nil {
		return Repaired{State: StateIntact}, nil
	}
	restored, ok := o.Restorer.Restore(f.rb)
	if !ok {
		return Repaired{}, &UnrepairableError{path, amiss}
	}
	if err := f.checkRestored(ctx, restored.Data, o); err != nil {
		return Repaired{}, err
	}
	if n := links(f.info); n > 1 {
		return Repaired{}, &InputError{
			Name: filepath.Base(path), Msg: fmt.Sprintf("the file has %d names (hard links), and only this one would be repaired", n),
			Fix: "make it a file of its own: copy it, and put the copy in its place",
		}
	}
	if o.Check {
		return Repaired{State: StateDamaged, How: restored.How}, nil
	}
	if err := replace(ctx, &source{file: f}, f, restored.Data); err != nil {
		return Repaired{}, err
	}
	return Repaired{State: StateRepaired, How: restored.How}, nil
}

// checkRestored has the restored bytes judged as the file that they are to be.
func (f file) checkRestored(ctx context.Context, data []byte, o RepairOptions) error {
	rb, err := runbook.Parse(f.rb.Name(), data)
	var tooLarge *runbook.SizeError
	if errors.As(err, &tooLarge) {
		return &InputError{Name: f.rb.Name(), Msg: fmt.Sprintf("restored it would have %d bytes, the limit is %d", len(data), runbook.MaxSize)}
	}
	if err != nil {
		return err
	}
	same := false
	f.rb.View(func(have []byte) { same = bytes.Equal(have, data) })
	if same {
		return &UnrepairableError{f.path, errors.New("what was restored is the file as it is")}
	}
	err = o.Intact(ctx, rb)
	if ctx.Err() != nil {
		return fmt.Errorf("repair %q: %w", f.path, ctx.Err())
	}
	if err != nil {
		return &UnrepairableError{f.path, fmt.Errorf("what was restored does not verify: %w", err)}
	}
	return nil
}
