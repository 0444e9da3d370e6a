package main

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"syscall"

	"github.com/penstock-io/penstock/brokerlink"
	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/ingest"
	"github.com/penstock-io/penstock/kerberos"
	"github.com/penstock-io/penstock/registry"
)

// Exit codes, from sysexits where one fits; the help of the root command says what each means.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 64
	exitProof       = 65
	exitUnavailable = 69
	exitCannotWrite = 73
	exitBusy        = 75
	exitDenied      = 77
	exitConfig      = 78
)

// codeError gives an error its exit code. told: the command has already printed it.
type codeError struct {
	code int
	told bool
	err  error
}

func (e *codeError) Error() string { return e.err.Error() }
func (e *codeError) Unwrap() error { return e.err }

func withCode(code int, err error) error { return &codeError{code: code, err: err} }

// told is withCode for an error that is on the screen already.
func told(code int, err error) error { return &codeError{code: code, told: true, err: err} }

// codeOf finds the exit code for what a command returned. A KDC that is away comes before the refusals: a login needs it.
func codeOf(err error) int {
	is := func(all ...error) bool {
		return slices.ContainsFunc(all, func(e error) bool { return errors.Is(err, e) })
	}
	var c *codeError
	var invalid *conf.Error
	var missing *brokerlink.NoTopicError
	switch {
	case errors.As(err, &c):
		return c.code
	case errors.As(err, &invalid), is(kerberos.ErrBadConfig):
		return exitConfig
	case is(kerberos.ErrKDCUnreachable):
		return exitUnavailable
	case is(fs.ErrPermission, kerberos.ErrBadKeytab, kerberos.ErrBadCache, kerberos.ErrUnknownPrincipal, kerberos.ErrUnknownService,
		kerberos.ErrTicketExpired, kerberos.ErrClockSkew, kerberos.ErrRefused), brokerlink.Denied(err):
		return exitDenied
	case is(dfs.ErrQuota):
		return exitCannotWrite
	case is(ingest.ErrFenced, syscall.EADDRINUSE), brokerlink.Replaced(err):
		return exitBusy
	case errors.As(err, &missing), is(dfs.ErrUnavailable, brokerlink.ErrNoBroker, registry.ErrNoAnswer, context.DeadlineExceeded):
		return exitUnavailable
	}
	return exitFailure
}
