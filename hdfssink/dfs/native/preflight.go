package native

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	hdfs "github.com/colinmarc/hdfs/v2"

	"github.com/penstock-io/penstock/hdfssink/dfs"
)

// Storage policy ids. None (0) is the default policy, which is HOT.
const policyHot = 7

// flagCrypt and flagEC are bits of HdfsFileStatusProto.flags.
const (
	flagCrypt = 0x02
	flagEC    = 0x04
)

// Preflight implements dfs.Preflighter.
func (f *FS) Preflight(ctx context.Context, dir string) error {
	for d := dir; ; d = path.Dir(d) {
		s, err := f.status(ctx, d)
		if errors.Is(err, fs.ErrNotExist) && d != "/" {
			continue
		}
		if err != nil {
			return fmt.Errorf("preflight of %s: %w", dir, err)
		}
		raw, ok := s.Sys().(*hdfs.FileStatus)
		if !ok {
			return fmt.Errorf("preflight of %s: %w: the library describes files in another way", dir, dfs.ErrRefused)
		}
		if !s.IsDir() {
			return fmt.Errorf("%s cannot be a target: %w: %s is a file; choose another path", dir, dfs.ErrRefused, d)
		}
		return target(dir, d, raw)
	}
}

// target judges the directory at, the nearest existing one above dir.
func target(dir, at string, s *hdfs.FileStatus) error {
	refuse := func(what, do string) error {
		return fmt.Errorf("%s cannot be a target: %w: %s %s; %s", dir, dfs.ErrRefused, at, what, do)
	}
	switch {
	case s.GetFileEncryptionInfo() != nil || s.GetFlags()&flagCrypt != 0:
		return refuse("is in an encryption zone, which this client cannot encrypt for",
			"use a directory outside of encryption zones (hdfs crypto -listZones)")
	case s.GetEcPolicy() != nil || s.GetFlags()&flagEC != 0:
		return refuse(fmt.Sprintf("is erasure-coded (policy %s), which this client cannot write", ecName(s.GetEcPolicy().GetName(), s.GetEcPolicy().GetId())),
			"use a replicated directory, or set one up below: hdfs ec -setPolicy -replicate -path DIRECTORY")
	case s.GetStoragePolicy() != 0 && s.GetStoragePolicy() != policyHot:
		return refuse(fmt.Sprintf("has storage policy %s, and this client can write to disks only", policyName(s.GetStoragePolicy())),
			"use a directory of policy HOT: hdfs storagepolicies -setStoragePolicy -path DIRECTORY -policy HOT")
	}
	return nil
}

func policyName(id uint32) string {
	switch id {
	case 15:
		return "LAZY_PERSIST"
	case 14:
		return "ALL_NVDIMM"
	case 12:
		return "ALL_SSD"
	case 10:
		return "ONE_SSD"
	case 5:
		return "WARM"
	case 2:
		return "COLD"
	case 1:
		return "PROVIDED"
	}
	return fmt.Sprintf("number %d", id)
}

// ecName names an erasure coding policy. The NameNode sends only the number of those it brings along.
func ecName(name string, id uint32) string {
	switch {
	case name != "":
		return name
	case id == 1:
		return "RS-6-3-1024k"
	case id == 2:
		return "RS-3-2-1024k"
	case id == 3:
		return "RS-LEGACY-6-3-1024k"
	case id == 4:
		return "XOR-2-1-1024k"
	case id == 5:
		return "RS-10-4-1024k"
	}
	return fmt.Sprintf("number %d", id)
}
