package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

func integer(v any) (int, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := n.Int64()
	return int(i), err == nil
}

// logical applies "logicalType". One that does not fit its type is an error, since it is a mistake; Avro would ignore it.
func logical(t *Type, o map[string]any) error {
	name, ok := o["logicalType"].(string)
	if !ok {
		return nil
	}
	if strings.HasPrefix(name, "local-timestamp-") {
		name, t.Local = name[len("local-"):], true
	}
	for _, l := range []struct {
		name string
		on   []Kind
		kind Kind
	}{
		{"uuid", []Kind{String}, UUID},
		{"date", []Kind{Int}, Date},
		{"time-millis", []Kind{Int}, TimeMillis},
		{"time-micros", []Kind{Long}, TimeMicros},
		{"timestamp-millis", []Kind{Long}, TimestampMillis},
		{"timestamp-micros", []Kind{Long}, TimestampMicros},
		{"timestamp-nanos", []Kind{Long}, TimestampNanos},
		{"decimal", []Kind{Bytes, Fixed}, Decimal},
	} {
		if l.name != name {
			continue
		}
		if slices.Contains(l.on, t.Kind) {
			t.Kind = l.kind
			if err := unit(t, o); err != nil {
				return err
			}
			return decimal(t, o)
		}
		return fmt.Errorf("logicalType %q does not go with %s, it goes with %s", name, t.Kind, l.on[0])
	}
	t.Local = false
	if name == "duration" {
		return errors.New("logicalType \"duration\" has no column yet: leave it out to land the 12 bytes")
	}
	return nil
}

// unit applies "json-unit", a property of ours: producers count seconds where a column has milliseconds.
func unit(t *Type, o map[string]any) error {
	v, ok := o["json-unit"]
	if !ok {
		return nil
	}
	switch t.Kind {
	case TimestampMillis, TimestampMicros, TimestampNanos:
		t.Unit, _ = v.(string)
		if slices.Contains([]string{"s", "ms", "us", "ns"}, t.Unit) {
			return nil
		}
		return fmt.Errorf("\"json-unit\" is s, ms, us or ns, not %v", v)
	default:
		return fmt.Errorf("\"json-unit\" goes with timestamps, not with %s", t.Kind)
	}
}

func decimal(t *Type, o map[string]any) error {
	if t.Kind != Decimal {
		return nil
	}
	precision, ok := integer(o["precision"])
	if !ok || precision < 1 || precision > 38 {
		return fmt.Errorf("decimal: \"precision\" must be 1 to 38 digits, not %v", o["precision"])
	}
	scale, ok := integer(o["scale"])
	if o["scale"] == nil {
		scale, ok = 0, true
	}
	if !ok || scale < 0 || scale > precision {
		return fmt.Errorf("decimal: \"scale\" must be 0 to precision, %d, not %v", precision, o["scale"])
	}
	if t.Size > 0 && DecimalSize(precision) > t.Size {
		return fmt.Errorf("decimal: %d digits do not fit into %d bytes", precision, t.Size)
	}
	t.Precision, t.Scale = precision, scale
	return nil
}
