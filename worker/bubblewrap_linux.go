package worker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/runwrit/writ/internal/abilities"
	"github.com/runwrit/writ/internal/contain"
	"github.com/runwrit/writ/policy"
)

// inBubblewrap makes the containment of the profile standard by bwrap. Both results are
// nil where bwrap is not meant to be used: it is switched off or not there, or it could do nothing
// for this run. The runbook has not been started where it fails.
func (w *Worker) inBubblewrap(ctx context.Context, p *plan, job Job) (*contained, error) {
	if w.withoutBubblewrap || p.user.uid == 0 {
		return nil, nil //nolint:nilnil // for root it is no wall
	}
	bwrap, err := abilities.FindBubblewrap()
	if err != nil {
		return nil, nil //nolint:nilnil,nilerr // writ doctor says why
	}
	for _, needed := range []string{p.interpreter, job.Dir} {
		if needed != "" && contain.Hidden(needed) {
			return nil, nil //nolint:nilnil // it would not be there
		}
	}
	program := w.stage.program
	if program == contain.Self {
		if program, err = os.Executable(); err != nil {
			return nil, &StartError{"find the program of the stage", err}
		}
	}
	if enterable(filepath.Dir(program), p.user) != nil || unix.Access(program, unix.X_OK) != nil {
		return nil, nil //nolint:nilnil,nilerr // bwrap is run as that user, and could not show it
	}
	return w.containIn(ctx, p, job, method{profile: policy.SandboxStandard, form: contain.Bubblewrap, bwrap: bwrap})
}

// inside says where the runbook finds in bwrap what the gate has put into the private
// folder.
func (s *place) inside(p *plan) {
	s.home, s.temp, s.script = contain.HomeDir, contain.TempDir, path.Join(contain.RunbookDir, p.name)
	if p.set != nil {
		s.script = path.Join(contain.RunbookDir, p.set.Entry())
	}
}

// wrap says what bwrap shows of the private folder.
func (s *place) wrap(p *plan, bwrap string) *contain.Wrap {
	w := &contain.Wrap{Program: bwrap, Home: s.homeDir, Temp: s.tempDir}
	if p.set != nil {
		w.Folder = filepath.Join(s.folder, "project")
		return w
	}
	sum := sha256.Sum256(p.payload)
	w.Script, w.SHA256 = p.name, hex.EncodeToString(sum[:])
	return w
}
