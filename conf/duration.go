package conf

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration is a time span. In the file it is written with units: `15m`, `2h`, `1h30m`, `1d`. Zero needs none.
type Duration time.Duration

// Day is what `d` stands for: 24 hours, whatever the clocks of a zone do that night.
const Day = Duration(24 * time.Hour)

func durationGrammar() grammar {
	return grammar{
		noun: "duration",
		units: []unit{
			{"ns", 1},
			{"us", int64(time.Microsecond)},
			{"ms", int64(time.Millisecond)},
			{"s", int64(time.Second)},
			{"m", int64(time.Minute)},
			{"h", int64(time.Hour)},
			{"d", int64(Day)},
		},
		example: "15m",
		// Flume's spans are bare seconds in one key and bare milliseconds in the next; large ones are the milliseconds.
		likely: func(n float64) string {
			if n >= 10000 {
				return strconv.FormatFloat(n, 'f', -1, 64) + "ms"
			}
			return strconv.FormatFloat(n, 'f', -1, 64) + "s"
		},
	}
}

// ParseDuration reads one or more numbers with units, such as `90s` or `1h30m`.
func ParseDuration(text string) (Duration, error) {
	var sum int64
	rest := text
	for {
		part, tail := firstQuantity(rest)
		n, err := parseQuantity(part, durationGrammar())
		if err != nil {
			return 0, err
		}
		if sum += n; sum < 0 {
			return 0, &Problem{What: fmt.Sprintf("%s is too long a duration", clip(text)), Fix: "write less than 292 years"}
		}
		if tail == "" {
			return Duration(sum), nil
		}
		rest = tail
	}
}

// firstQuantity cuts `1h` off `1h30m`.
func firstQuantity(text string) (part, tail string) {
	i := strings.IndexFunc(text, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if i < 0 {
		return text, ""
	}
	j := strings.IndexAny(text[i:], "0123456789")
	if j <= 0 {
		return text, ""
	}
	return text[:i+j], text[i+j:]
}

// Std is d as the standard library knows it.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String writes d as ParseDuration reads it, without the empty units that time.Duration adds.
func (d Duration) String() string {
	if d == 0 {
		return "0"
	}
	if d > 0 && d%Day == 0 {
		return strconv.FormatInt(int64(d/Day), 10) + "d"
	}
	text := time.Duration(d).String()
	text = strings.ReplaceAll(text, "µs", "us")
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// SetConf implements Value.
func (d *Duration) SetConf(v Scalar) error {
	n, err := ParseDuration(v.Text)
	if err != nil {
		return err
	}
	*d = n
	return nil
}

// SchemaConf implements Value.
func (d *Duration) SchemaConf() Fragment {
	return Fragment{"anyOf": []any{
		Fragment{"type": "string", "pattern": `^(0|([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h|d))+)$`},
		Fragment{"const": 0},
	}, "examples": []any{"15m"}}
}
