//go:build !nosigstore

package sigstoreclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-openapi/strfmt"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	rekorpb "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	"github.com/sigstore/rekor/pkg/generated/client/entries"
	"github.com/sigstore/rekor/pkg/generated/models"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/runwrit/writ/internal/endpoint"
	"github.com/runwrit/writ/internal/lazyregexp"
)

// Rekor is a log.
type Rekor struct {
	URL *url.URL
	// Version is that of its interface, 1 or 2.
	Version  int
	Endpoint endpoint.Options
}

// Entry has the log make an entry of the bundle's signature, which is by the key in
// publicPEM (a public key or a certificate). It fails with *endpoint.Error. Whether
// the entry is of that signature, nobody has looked at yet.
func (r *Rekor) Entry(ctx context.Context, publicPEM []byte, b *protobundle.Bundle) (entry *protorekor.TransparencyLogEntry, err error) {
	t := endpoint.New(ctx, "rekor", r.URL, r.Endpoint, http.StatusOK, http.StatusCreated, http.StatusConflict)
	asked := &asker{ctx: ctx, base: strings.TrimSuffix(r.URL.String(), "/"), transport: t}
	library := sign.NewRekor(&sign.RekorOptions{BaseURL: asked.base, Version: uint32(r.Version), Client: (*askerV1)(asked), ClientV2: (*askerV2)(asked)})
	defer func() {
		if recover() != nil { // of the library, on an answer that nobody should give
			entry, err = nil, t.Refuse("the answer is no entry of a log")
		}
	}()
	had := len(b.GetVerificationMaterial().GetTlogEntries())
	err = library.GetTransparencyLogEntry(ctx, publicPEM, b)
	all := b.GetVerificationMaterial().GetTlogEntries()
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case asked.err != nil:
		return nil, asked.err
	case err != nil || len(all) != had+1:
		return nil, t.Refuse("the answer is no entry of a log")
	}
	return all[had], nil
}

// asker sends the requests of the library, which has no client that takes a
// transport. It keeps the error: the library wraps it in words of its own.
type asker struct {
	ctx       context.Context
	base      string
	transport *endpoint.Transport
	err       error
}

func (a *asker) fail(err error) error {
	a.err = err
	return err
}

// post sends JSON to a path of the log, and keeps the error.
func (a *asker) post(ctx context.Context, path string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	res, err := a.transport.RoundTrip(req)
	if err != nil {
		return nil, a.fail(err)
	}
	return res, nil
}

type askerV1 asker

// CreateLogEntry asks version 1. An entry may be there already: an earlier answer was
// lost, or the key makes the same signature each time.
func (a *askerV1) CreateLogEntry(params *entries.CreateLogEntryParams, _ ...entries.ClientOption) (*entries.CreateLogEntryCreated, error) {
	body, err := json.Marshal(params.ProposedEntry)
	if err != nil {
		return nil, err
	}
	res, err := (*asker)(a).post(a.ctx, "/api/v1/log/entries", body)
	if err != nil {
		return nil, err
	}
	if res.StatusCode == http.StatusConflict {
		return nil, &entries.CreateLogEntryConflict{Location: strfmt.URI(res.Header.Get("Location"))}
	}
	entry, err := readEntry(res.Body)
	if err != nil {
		return nil, err
	}
	return &entries.CreateLogEntryCreated{ETag: "only", Payload: map[string]models.LogEntryAnon{"only": *entry}}, nil
}

// entryID is the form in which version 1 names entries.
var entryID = lazyregexp.New(`^[0-9a-fA-F]{64,80}$`)

// GetLogEntryByUUID asks for an entry that is there, of the same log.
func (a *askerV1) GetLogEntryByUUID(params *entries.GetLogEntryByUUIDParams, _ ...entries.ClientOption) (*entries.GetLogEntryByUUIDOK, error) {
	if !entryID.MatchString(params.EntryUUID) {
		return nil, errors.New("not the name of an entry")
	}
	req, err := http.NewRequestWithContext(a.ctx, http.MethodGet, a.base+"/api/v1/log/entries/"+params.EntryUUID, nil)
	if err != nil {
		return nil, err
	}
	data, err := a.transport.Do(req)
	if err != nil {
		return nil, (*asker)(a).fail(err)
	}
	entry, err := readEntry(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return &entries.GetLogEntryByUUIDOK{Payload: map[string]models.LogEntryAnon{"only": *entry}}, nil
}

// readEntry reads an answer with one entry. The library does not look whether all of
// it is there.
func readEntry(answer io.Reader) (*models.LogEntryAnon, error) {
	var list map[string]models.LogEntryAnon
	if err := json.NewDecoder(answer).Decode(&list); err != nil || len(list) != 1 {
		return nil, errors.New("not one entry")
	}
	for _, entry := range list {
		if entry.LogID == nil || entry.LogIndex == nil || entry.IntegratedTime == nil || entry.Verification == nil || entry.Verification.InclusionProof == nil {
			break
		}
		if p := entry.Verification.InclusionProof; p.LogIndex == nil || p.RootHash == nil || p.TreeSize == nil || p.Checkpoint == nil {
			break
		}
		return &entry, nil
	}
	return nil, errors.New("an entry without a proof")
}

type askerV2 asker

// Add asks version 2.
func (a *askerV2) Add(ctx context.Context, entry any) (*protorekor.TransparencyLogEntry, error) {
	request, ok := entry.(*rekorpb.HashedRekordRequestV002)
	if !ok {
		return nil, fmt.Errorf("an entry of type %T", entry)
	}
	body, err := protojson.Marshal(&rekorpb.CreateEntryRequest{Spec: &rekorpb.CreateEntryRequest_HashedRekordRequestV002{HashedRekordRequestV002: request}})
	if err != nil {
		return nil, err
	}
	res, err := (*asker)(a).post(ctx, "/api/v2/log/entries", body)
	if err != nil {
		return nil, err
	}
	if res.StatusCode == http.StatusConflict {
		return nil, (*asker)(a).fail(a.transport.Refuse("the log has this very signature already, and says no more of it: sign again"))
	}
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	var answer protorekor.TransparencyLogEntry
	if err := protojson.Unmarshal(data, &answer); err != nil {
		return nil, err
	}
	return &answer, nil
}
