package conf

import (
	"fmt"
	"io/fs"
	"net"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // edge nodes may have no zone files, and a bucket's hour must not depend on that
)

// HostPort is an address such as `broker1:9093`, `[::1]:4141` or `0.0.0.0:4141`.
type HostPort struct {
	Host string // without brackets; may be empty in an address to listen on
	Port int
}

// ParseHostPort reads `host:port`.
func ParseHostPort(text string) (HostPort, error) {
	bad := func(what, fix string) (HostPort, error) {
		return HostPort{}, &Problem{What: fmt.Sprintf("%q %s", clip(text), what), Fix: fix}
	}
	if strings.ContainsAny(text, " ,;/\t") {
		if strings.Contains(text, "://") {
			return bad("is a URL, where an address is wanted", "write host:port")
		}
		return bad("is not an address", "write one host:port for each item")
	}
	colons := strings.Count(text, ":")
	if colons > 1 && !strings.HasPrefix(text, "[") {
		return bad("is an IPv6 address without brackets, or has no port", "write [address]:port")
	}
	if colons == 0 {
		return bad("has no port", "write "+clip(text)+":PORT")
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return bad("is not an address", "write host:port")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return bad("has no port between 0 and 65535", "write host:port")
	}
	return HostPort{host, int(n)}, nil
}

// String is `host:port`, with brackets around an IPv6 address.
func (a HostPort) String() string {
	if a.IsZero() {
		return ""
	}
	return net.JoinHostPort(a.Host, strconv.Itoa(a.Port))
}

// IsZero reports whether there is no address.
func (a HostPort) IsZero() bool { return a == HostPort{} }

// SetConf implements Value.
func (a *HostPort) SetConf(v Scalar) error {
	b, err := ParseHostPort(v.Text)
	if err != nil {
		return err
	}
	*a = b
	return nil
}

// SchemaConf implements Value.
func (a *HostPort) SchemaConf() Fragment {
	return Fragment{"type": "string", "pattern": `^(\[[0-9A-Fa-f:.]+\]|[^ ,;/:\[\]]*):[0-9]{1,5}$`, "examples": []any{"broker1:9093"}}
}

// MarshalText is String.
func (a HostPort) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Zone is a time zone by its IANA name: `UTC`, `Europe/Berlin`, or `Local`. The zero Zone is UTC.
type Zone struct {
	loc *time.Location
}

// NewZone is a zone for programs.
func NewZone(loc *time.Location) Zone { return Zone{loc} }

// Location is never nil.
func (z Zone) Location() *time.Location {
	if z.loc == nil {
		return time.UTC
	}
	return z.loc
}

// String is the zone's name.
func (z Zone) String() string { return z.Location().String() }

// Equal reports whether both have the same name.
func (z Zone) Equal(y Zone) bool { return z.String() == y.String() }

// SetConf implements Value.
func (z *Zone) SetConf(v Scalar) error {
	loc, err := time.LoadLocation(v.Text)
	if err != nil || v.Text == "" {
		return &Problem{What: fmt.Sprintf("%q is not a time zone", clip(v.Text)), Fix: "write UTC, Local, or a name such as Europe/Berlin"}
	}
	z.loc = loc
	return nil
}

// SchemaConf implements Value.
func (z *Zone) SchemaConf() Fragment {
	return Fragment{"type": "string", "minLength": 1, "examples": []any{"UTC", "Europe/Berlin"}}
}

// MarshalText is String.
func (z Zone) MarshalText() ([]byte, error) { return []byte(z.String()), nil }

// Mode is a set of permission bits, written as in chmod: `"0750"`. The zero Mode is none given.
type Mode fs.FileMode

// FileMode is m as the standard library knows it.
func (m Mode) FileMode() fs.FileMode { return fs.FileMode(m) }

// String is m in octal, as it is written.
func (m Mode) String() string {
	if m == 0 {
		return ""
	}
	return fmt.Sprintf("%04o", uint32(m))
}

// SetConf implements Value. A number without quotes and without a leading zero could be meant in decimal, and is refused.
func (m *Mode) SetConf(v Scalar) error {
	digits := strings.TrimPrefix(v.Text, "0o")
	n, err := strconv.ParseUint(digits, 8, 32)
	if err != nil || n > 0o1777 || n == 0 {
		return &Problem{What: fmt.Sprintf("%q is not a set of permission bits", clip(v.Text)), Fix: `write three octal digits after a zero, such as "0750"`}
	}
	if v.Kind != String && digits[0] != '0' {
		return &Problem{What: v.Text + " could be octal or decimal", Fix: fmt.Sprintf("write %q, in quotes", "0"+digits)}
	}
	*m = Mode(n)
	return nil
}

// SchemaConf implements Value.
func (m *Mode) SchemaConf() Fragment {
	return Fragment{"type": "string", "pattern": "^(0o)?0?[01]?[0-7]{3}$", "examples": []any{"0750"}}
}

// MarshalText is String.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }
