//go:build !linux

package main

import "syscall"

// childDiesWithUs: only Linux can do that.
func childDiesWithUs() *syscall.SysProcAttr { return nil }
