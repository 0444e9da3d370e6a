package schema

import (
	"fmt"
	"strings"
)

// Hive is the type of a column in HiveQL, as Hive, Impala and Spark read it from Parquet: what they have no type for is what the file has, so times of day and timestamps in nanoseconds are
// numbers, and enums and UUIDs strings.
func (t *Type) Hive() string {
	switch t.Kind {
	case Boolean, Int, Float, Double, String, Date:
		return strings.ToUpper(t.Kind.String())
	case Long, TimeMicros, TimestampNanos:
		return "BIGINT"
	case TimeMillis:
		return "INT"
	case TimestampMillis, TimestampMicros:
		return "TIMESTAMP"
	case Decimal:
		return fmt.Sprintf("DECIMAL(%d,%d)", t.Precision, t.Scale)
	case Bytes, Fixed:
		return "BINARY"
	case Array:
		return "ARRAY<" + t.Items.Hive() + ">"
	case Map:
		return "MAP<STRING," + t.Items.Hive() + ">"
	case Record:
		var fields []string
		for i := range t.Fields {
			fields = append(fields, HiveName(t.Fields[i].Name)+":"+t.Fields[i].Type.Hive())
		}
		return "STRUCT<" + strings.Join(fields, ",") + ">"
	default:
		return "STRING"
	}
}

// HiveName is a name in HiveQL's quotes.
func HiveName(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }
