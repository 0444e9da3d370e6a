package hadoopxml

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// String is the value of key without blanks around it, or def.
func (c *Config) String(key, def string) (string, error) {
	p, ok, err := c.Lookup(key)
	if err != nil || !ok {
		return def, err
	}
	return strings.TrimSpace(p.Value), nil
}

// Bool is the value of key, or def; like Java, anything but true and false counts as def.
func (c *Config) Bool(key string, def bool) (bool, error) {
	text, err := c.String(key, "")
	switch {
	case err != nil:
		return def, err
	case strings.EqualFold(text, "true"):
		return true, nil
	case strings.EqualFold(text, "false"):
		return false, nil
	default:
		return def, nil
	}
}

// Int is the value of key, or def. 0x is understood.
func (c *Config) Int(key string, def int64) (int64, error) {
	return number(c, key, def, "a whole number", func(text string) (int64, error) {
		digits, base := text, 10
		if rest, ok := strings.CutPrefix(strings.TrimPrefix(text, "-"), "0x"); ok {
			digits, base = rest, 16
			if strings.HasPrefix(text, "-") {
				digits = "-" + rest
			}
		}
		return strconv.ParseInt(digits, base, 64)
	})
}

// Size is the value of key with Hadoop's suffixes (128m, 1g), or def.
func (c *Config) Size(key string, def int64) (int64, error) {
	return number(c, key, def, "a size such as 128m", func(text string) (int64, error) {
		shift := 0
		if text != "" {
			if i := strings.IndexByte("kmgtpe", text[len(text)-1]|0x20); i >= 0 {
				shift, text = 10*(i+1), text[:len(text)-1]
			}
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, err
		}
		if n > math.MaxInt64>>shift || n < math.MinInt64>>shift {
			return 0, strconv.ErrRange
		}
		return n << shift, nil
	})
}

// Duration is the value of key with Hadoop's suffixes (30s, 5m), or def; a bare number counts in unit.
func (c *Config) Duration(key string, def, unit time.Duration) (time.Duration, error) {
	n, err := number(c, key, int64(def), "a time such as 30s", func(text string) (int64, error) {
		text = strings.ToLower(text)
		scale := int64(unit)
		// The order matters: "ms" ends in "s".
		for _, u := range []struct {
			suffix string
			scale  time.Duration
		}{{"ns", 1}, {"us", time.Microsecond}, {"ms", time.Millisecond}, {"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}, {"d", 24 * time.Hour}} {
			if rest, ok := strings.CutSuffix(text, u.suffix); ok {
				text, scale = rest, int64(u.scale)
				break
			}
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, err
		}
		if n > math.MaxInt64/scale || n < math.MinInt64/scale {
			return 0, strconv.ErrRange
		}
		return n * scale, nil
	})
	return time.Duration(n), err
}

func number(c *Config, key string, def int64, want string, parse func(string) (int64, error)) (int64, error) {
	p, ok, err := c.Lookup(key)
	if err != nil || !ok {
		return def, err
	}
	n, err := parse(strings.TrimSpace(p.Value))
	if err != nil {
		return def, fmt.Errorf("%s: %s: %q is not %s", p.Place(), p.Name, clip(p.Value), want)
	}
	return n, nil
}

// List is the value of key split at commas and line ends, without blanks and empty items.
func (c *Config) List(key string) ([]string, error) {
	p, ok, err := c.Lookup(key)
	if err != nil || !ok {
		return nil, err
	}
	var out []string
	for item := range strings.FieldsFuncSeq(p.Value, func(r rune) bool { return r == ',' || r == '\n' }) {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out, nil
}
