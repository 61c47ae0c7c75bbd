package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/runwrit/writ/internal/render"
)

// resignOptions say whose files are signed anew.
type resignOptions struct {
	on     bool
	old    string
	before string
	// manifestKey is a second key, for the manifests of projects.
	manifestKey string
	// id is that of the old signer, once it is known.
	id string
}

func (o *resignOptions) addTo(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&o.on, "resign", false, "sign anew what the signer of --if-signer has signed, and nothing else")
	f.StringVar(&o.old, "if-signer", "", "with --resign: the old signer, an `ID` as policies name it or a file with the certificate or the public key")
	f.StringVar(&o.manifestKey, "manifest-key", "", "with --resign and an X.509 or bare key: the OpenPGP `key` that signed the manifests of projects, to list anew what is signed anew in them")
	f.StringVar(&o.before, "signed-before", "", "with --resign: only what a trusted timestamp proves to be older than this `time` (RFC 3339)")
}

func (o *signOptions) validateResign() error {
	r := o.resign
	switch {
	case !r.on && (r.old != "" || r.before != "" || r.manifestKey != ""):
		return usagef("--if-signer, --signed-before and --manifest-key are for --resign")
	case !r.on:
		return nil
	case r.old == "":
		return usagef("--resign needs to know whose signatures are to be replaced: --if-signer ID or FILE")
	case o.append || o.remove || o.force:
		return usagef("--resign, --append, --remove and --force exclude each other")
	case o.format != "auto" || o.normalize || o.addBOM || o.profile != "" || o.claims.given():
		return usagef("--resign keeps format, text and claims as they are: not with --format, --normalize, --add-bom, --profile, --runbook-version or --namespace")
	case r.before != "" && o.trust.dir == "" && len(o.trust.tsas) == 0:
		return usagef("--signed-before needs to know whose timestamps count: --trust or --tsa")
	}
	if _, err := r.time(); err != nil {
		return err
	}
	return nil
}

func (o *resignOptions) time() (time.Time, error) {
	if o.before == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, o.before)
	if err != nil {
		return t, usagef("--signed-before %q: want a time such as 2026-01-31T12:00:00Z", o.before)
	}
	return t, nil
}

func (a *app) runResign(ctx context.Context, o *signOptions, r signWriter) error {
	s, err := a.newResigner(ctx, o)
	if err != nil {
		return err
	}
	files, err := a.filesToResign(o.paths)
	if err != nil {
		return err
	}
	if s.rules.Before.IsZero() {
		a.note("whoever had the key of %s can have signed these files: if others may have had it, use --signed-before, or review them", o.resign.id)
	}
	units := unitsOf(files)
	all, err := a.forUnits(ctx, o, r, s.key, pathsOf(units), func(ctx context.Context, i int) []render.SignResult {
		if units[i].project != nil {
			return s.doProject(ctx, units[i].project)
		}
		return []render.SignResult{s.do(ctx, units[i].path)}
	})
	if err != nil {
		return err
	}
	if n := s.undated.Load(); n > 0 {
		a.note("%d files have a timestamp or an entry of a log, and their new signatures have none: give --timestamp; to what is signed anew already, writ sign --timestamp with the new key gives it", n)
	}
	done, open := all.Count(render.SignSigned)+all.Count(render.SignUnchanged), all.Count(render.SignToSign)
	bad := len(all.Failures()) + all.Count(render.SignNotReached)
	switch {
	case bad > 0:
		return a.answerOnSigning(ctx, o, all, "need attention: they are not signed anew")
	case open > 0:
		return no("%d of %d files are to be signed anew", open, len(all.Files))
	case done == 0:
		return no("%s has signed none of %d files", o.resign.id, len(all.Files))
	}
	return nil
}
