package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runwrit/writ/worker"
)

// noon is the clock of these tests.
func noon() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

func TestTheFileOfStreamsHasALimit(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s.jsonl")
	s, err := newStreamFile(path, noon)
	if err != nil {
		t.Fatal(err)
	}
	s.limit = 300
	var job worker.Job
	s.addTo(&job)
	job.OnState(worker.Running)
	for range 5 {
		job.OnLine(worker.Line{Time: noon(), Stream: worker.StreamOutput, Text: "x"})
	}
	job.OnLine(worker.Line{Time: noon(), Stream: worker.StreamError, Text: ""}) // nothing comes out of its order
	job.OnState(worker.Completed)
	o := runOutcome{result: worker.Result{Started: true}}
	s.close(&o)
	const at = `{"time":"2026-11-22T12:00:00.000000000Z",`
	want := at + `"state":"Running"}` + "\n" + strings.Repeat(at+`"stream":"Output","text":"x"}`+"\n", 3) + `{"left_out":3}` + "\n" + at + `"state":"Completed"}` + "\n"
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"the file of --streams is full: 3 lines are left out"}, o.result.Warnings); diff != "" {
		t.Error(diff)
	}
}

func TestAFileOfStreamsThatCannotBeWrittenIsNotWhole(t *testing.T) {
	t.Parallel()
	s, err := newStreamFile(filepath.Join(t.TempDir(), "s.jsonl"), noon)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.file.Close(); err != nil {
		t.Fatal(err)
	}
	var job worker.Job
	s.addTo(&job)
	job.OnLine(worker.Line{Time: noon(), Stream: worker.StreamOutput, Text: "x"})
	o := runOutcome{err: errors.New("x")}
	s.close(&o)
	if len(o.result.Warnings) != 1 || !strings.HasPrefix(o.result.Warnings[0], "the file of --streams is not whole: ") {
		t.Errorf("%q", o.result.Warnings)
	}
}
