package format_test

import (
	"context"
	"fmt"
	"time"

	"github.com/runwrit/writ/format"
	"github.com/runwrit/writ/internal/newkeys"
	"github.com/runwrit/writ/runbook"
	"github.com/runwrit/writ/signer"
	"github.com/runwrit/writ/verifier"
)

func ExampleAuthenticode() {
	now := func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }
	keys, err := newkeys.X509(newkeys.X509Options{Subject: "Ada", NotBefore: now()})
	if err != nil {
		fmt.Println(err)
		return
	}
	key, err := signer.NewX509Key("example", keys.Key, keys.Chain())
	if err != nil {
		fmt.Println(err)
		return
	}
	authenticode := &format.Authenticode{Now: now}
	script, err := runbook.Parse("hello.ps1", []byte("Write-Output 'hello'\r\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	signed, err := authenticode.Sign(context.Background(), script, key)
	if err != nil {
		fmt.Println(err)
		return
	}

	trust, err := verifier.NewTrust(verifier.TrustFile{Store: "main", Room: verifier.RoomX509CA, Name: "ca.pem", Data: keys.CAPEM})
	if err != nil {
		fmt.Println(err)
		return
	}
	v, err := verifier.New(trust, verifier.Options{Formats: []verifier.Format{authenticode}, Now: now})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, data := range [][]byte{signed, append(signed, "Remove-Item *\r\n"...)} {
		rb, err := runbook.Parse("hello.ps1", data)
		if err != nil {
			fmt.Println(err)
			return
		}
		report, err := v.Inspect(context.Background(), rb)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(report.Verdict)
	}
	// Output:
	// valid
	// malformed
}
