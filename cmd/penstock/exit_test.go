package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/ingest"
	"github.com/penstock-io/penstock/kerberos"
)

// TestExitCodes holds those that no script can easily provoke; the scripts have the others.
func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{errors.New("a surprise"), exitFailure},
		{dfs.ErrQuota, exitCannotWrite},
		{dfs.ErrUnavailable, exitUnavailable},
		{fs.ErrPermission, exitDenied},
		{kerberos.ErrClockSkew, exitDenied},
		{kerberos.ErrBadConfig, exitConfig},
		{fmt.Errorf("%w: %w", kerberos.ErrKDCUnreachable, kerberos.ErrTicketExpired), exitUnavailable},
		{ingest.ErrFenced, exitBusy},
		{context.DeadlineExceeded, exitUnavailable},
		{withCode(exitProof, dfs.ErrQuota), exitProof},
	} {
		if got := codeOf(ingest.Permanent(fmt.Errorf("at the end of a sink: %w", c.err))); got != c.want {
			t.Errorf("%v: exit code %d, want %d", c.err, got, c.want)
		}
	}
}
