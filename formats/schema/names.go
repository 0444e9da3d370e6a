package schema

import (
	"fmt"
	"strings"
)

// Distinct refuses columns of one record whose names differ by case only: for Hive and Spark they are one. more are columns that the file has beside those of t.
func (t *Type) Distinct(more ...string) error {
	switch t.Kind {
	case Array, Map:
		return t.Items.Distinct()
	case Record:
	default:
		return nil
	}
	seen := map[string]string{}
	claim := func(name string) error {
		lower := strings.ToLower(name)
		if other, twice := seen[lower]; twice {
			return fmt.Errorf("columns %q and %q: Hive and Spark take names that differ by case only for one; rename the field, and keep its old name as an alias (or leave out the columns of origin)",
				other, name)
		}
		seen[lower] = name
		return nil
	}
	for i := range t.Fields {
		if err := claim(t.Fields[i].Name); err != nil {
			return err
		}
		if err := t.Fields[i].Type.Distinct(); err != nil {
			return err
		}
	}
	for _, name := range more {
		if err := claim(name); err != nil {
			return err
		}
	}
	return nil
}
