package local

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/penstock-io/penstock/hdfssink/dfs"
)

// errNotEmpty is what a directory that got a new file meanwhile answers when it is removed. (It also counts as fs.ErrExist.)
const errNotEmpty = syscall.ENOTEMPTY

// reading puts an error of a call without effects into the words of package dfs.
func reading(err error) error {
	var no syscall.Errno
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return err
	case !errors.As(err, &no):
		return fmt.Errorf("%w: %w", dfs.ErrRefused, err) // a link that leads out of the root
	}
	switch no {
	case syscall.EIO, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EAGAIN, syscall.EINTR, syscall.ETIMEDOUT, syscall.ESTALE:
		return fmt.Errorf("%w: %w", dfs.ErrUnavailable, err)
	case syscall.ENAMETOOLONG:
		return fmt.Errorf("%w: %w", dfs.ErrInvalidName, err)
	default:
		return fmt.Errorf("%w: %w", dfs.ErrRefused, err)
	}
}

// changing is reading for calls that may have had an effect. An error that has been through it is left alone.
func changing(err error) error {
	switch {
	case errors.Is(err, dfs.ErrNoAnswer), errors.Is(err, dfs.ErrUnavailable), errors.Is(err, dfs.ErrQuota),
		errors.Is(err, dfs.ErrInvalidName), errors.Is(err, dfs.ErrRefused):
		return err
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: %w; make room", dfs.ErrQuota, err)
	case errors.Is(err, syscall.EIO), errors.Is(err, syscall.ETIMEDOUT), errors.Is(err, syscall.ESTALE): // disks and network mounts
		return fmt.Errorf("%w: %w", dfs.ErrNoAnswer, err)
	case errors.Is(err, fs.ErrExist):
		return err
	}
	return reading(err)
}
