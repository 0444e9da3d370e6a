package main

import "syscall"

// childDiesWithUs makes the kernel end a child process when this one is killed.
func childDiesWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
