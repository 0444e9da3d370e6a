package kerberos

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/types"
)

// maxSecretFile bounds what is read as a keytab or a ticket cache.
const maxSecretFile = 4 << 20

// fileStamp tells one version of a file from another.
type fileStamp struct {
	size  int64
	mtime time.Time
	mode  os.FileMode
}

// stampOf is the stamp of the file as it is now; the zero stamp if it cannot be seen.
func stampOf(path string) fileStamp {
	info, err := os.Stat(path)
	if err != nil {
		return fileStamp{}
	}
	return fileStamp{size: info.Size(), mtime: info.ModTime(), mode: info.Mode()}
}

// readSecretFile reads a file and says which version of it was read. The stamp is taken first, so that
// a change while reading is seen as a change later.
func readSecretFile(path string) ([]byte, fileStamp, error) {
	stamp := stampOf(path)
	if stamp.size > maxSecretFile {
		return nil, stamp, fmt.Errorf("%s is larger than %d bytes", path, maxSecretFile)
	}
	data, err := os.ReadFile(path)
	return data, stamp, err
}

// clientKey is one key of a principal in a keytab.
type clientKey struct {
	key  types.EncryptionKey
	kvno uint32
	// only is a keytab that holds nothing else: gokrb5 looks keys up by the time they were written, so
	// among several it may find an old one.
	only *keytab.Keytab
}

// clientKeys are a principal's usable keys, of its newest version only.
type clientKeys struct {
	path string
	keys []clientKey
}

// parseKeytab finds the newest keys of a principal. path is only for messages.
func parseKeytab(path string, data []byte, p Principal) (clientKeys, error) {
	kt := keytab.New()
	if err := kt.Unmarshal(data); err != nil {
		// The library's text quotes the file, keys and all.
		return clientKeys{}, fmt.Errorf("%w: %s is not a keytab, or is cut short; fetch it again (check with: klist -kte %s)", ErrBadKeytab, path, path)
	}
	name := p.name()
	keys := clientKeys{path: path}
	var newest uint32
	var others, unusable []string
	for i := range kt.Entries {
		e := kt.Entries[i]
		if e.Principal.Realm != p.Realm || !slices.Equal(e.Principal.Components, name.NameString) {
			others = append(others, strings.Join(e.Principal.Components, "/")+"@"+e.Principal.Realm)
			continue
		}
		if !slices.Contains(knownEtypes(), e.Key.KeyType) || len(e.Key.KeyValue) != keySize(e.Key.KeyType) {
			unusable = append(unusable, etypeName(e.Key.KeyType))
			continue
		}
		if e.KVNO > newest {
			newest, keys.keys = e.KVNO, nil
		}
		if e.KVNO == newest {
			only := keytab.New()
			only.Entries = append(only.Entries, e)
			keys.keys = append(keys.keys, clientKey{key: e.Key, kvno: e.KVNO, only: only})
		}
	}
	if len(keys.keys) > 0 {
		return keys, nil
	}
	if len(unusable) > 0 {
		return keys, fmt.Errorf("%w: %s has for %s only keys of %s, which are not used any more; make it again with aes256-cts-hmac-sha1-96",
			ErrBadKeytab, path, p, distinct(unusable))
	}
	return keys, fmt.Errorf("%w: %s has no key for %s, but for: %s; correct the principal, or fetch a keytab that has it (klist -kte %s lists one)",
		ErrBadKeytab, path, p, distinct(others), path)
}

// distinct lists names once each, and not too many.
func distinct(names []string) string {
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) == 0 {
		return "nobody"
	}
	if len(names) > 5 {
		return strings.Join(names[:5], ", ") + fmt.Sprintf(" and %d more", len(names)-5)
	}
	return strings.Join(names, ", ")
}

// keySize is how many bytes a key of a known type has; no key has the size that other types give.
func keySize(etype int32) int {
	switch etype {
	case etypeID.AES256_CTS_HMAC_SHA1_96, etypeID.AES256_CTS_HMAC_SHA384_192:
		return 32
	case etypeID.AES128_CTS_HMAC_SHA1_96, etypeID.AES128_CTS_HMAC_SHA256_128:
		return 16
	}
	return -1
}

// kvno is the version that the keys have.
func (k clientKeys) kvno() uint32 { return k.keys[0].kvno }

// etypes returns those of the wanted types that there is a key for, in the order wanted. A request that
// names no other makes the KDC choose a type that can be answered.
func (k clientKeys) etypes(wanted []int32) []int32 {
	var ids []int32
	for _, id := range wanted {
		if _, ok := k.of(id); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// of returns the key of a type.
func (k clientKeys) of(etype int32) (clientKey, bool) {
	for _, key := range k.keys {
		if key.key.KeyType == etype {
			return key, true
		}
	}
	return clientKey{}, false
}
