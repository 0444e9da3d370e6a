package hdfssink

import (
	"strings"
	"unicode/utf8"
)

const (
	maxComponent = 255  // bytes; dfs.namenode.fs-limits.max-component-length
	maxPath      = 7000 // bytes; HDFS allows 8,000 characters, and the file's name has to fit too

	// hiveDefault is how Hive writes null and the empty string in a partition's directory.
	hiveDefault = "__HIVE_DEFAULT_PARTITION__"
	// hiveEscapes are the characters that Hive writes as %XX, with control characters and DEL.
	hiveEscapes = "\"#%'*/:=?\\{[]^"
)

// appendEscaped appends value as Hive does: '/', ':', '%' and so on as %XX. In addition, bytes that are no UTF-8 become
// %XX, and so does a '.' or '_' where a component begins, since readers take such names for hidden.
func appendEscaped(dst []byte, value string, componentStart bool) []byte {
	for i := 0; i < len(value); {
		c := value[i]
		if c < utf8.RuneSelf {
			if c < 0x20 || c == 0x7f || strings.IndexByte(hiveEscapes, c) >= 0 || (i == 0 && componentStart && (c == '.' || c == '_')) {
				dst = appendHex(dst, c)
			} else {
				dst = append(dst, c)
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(value[i:])
		if r == utf8.RuneError && n == 1 {
			dst = appendHex(dst, c)
		} else {
			dst = append(dst, value[i:i+n]...)
		}
		i += n
	}
	return dst
}

func appendHex(dst []byte, c byte) []byte {
	const digits = "0123456789ABCDEF"
	return append(dst, '%', digits[c>>4], digits[c&15])
}

// badComponent returns the first component of an evaluated path that no HDFS can have; ok is false when there is one.
func badComponent(path string) (what string, ok bool) {
	if len(path) > maxPath {
		return "path", false
	}
	for part := range strings.SplitSeq(path[1:], "/") {
		if part == "" || part == "." || part == ".." || len(part) > maxComponent {
			return part, false
		}
	}
	return "", true
}

// appendEscapedBytes is appendEscaped for the bytes of an event: plain values, nearly all of them, are appended as they are.
func appendEscapedBytes(dst, value []byte, componentStart bool) []byte {
	plain := !componentStart || (value[0] != '.' && value[0] != '_')
	for _, c := range value {
		if c < 0x20 || c >= 0x7f || strings.IndexByte(hiveEscapes, c) >= 0 {
			plain = false
			break
		}
	}
	if plain {
		return append(dst, value...)
	}
	return appendEscaped(dst, string(value), componentStart)
}
