package parquetfile

import (
	"github.com/apache/arrow/go/v15/parquet"
	pqschema "github.com/apache/arrow/go/v15/parquet/schema"

	"github.com/penstock-io/penstock/formats/bodies"
	"github.com/penstock-io/penstock/formats/schema"
)

// typedSchema is a record as Parquet has it.
func typedSchema(root *schema.Type, origin bool) (*pqschema.GroupNode, error) {
	var names []string
	if origin {
		names = bodies.Origin()
	}
	if err := root.Distinct(names...); err != nil {
		return nil, err
	}
	fields, err := typedFields(root)
	if err != nil {
		return nil, err
	}
	if origin {
		required := parquet.Repetitions.Required
		millis := logicalType{pqschema.NewTimestampLogicalType(true, pqschema.TimeUnitMillis), parquet.Types.Int64, -1}
		text := logicalType{pqschema.StringLogicalType{}, parquet.Types.ByteArray, -1}
		for _, f := range []struct {
			name string
			typ  logicalType
		}{
			{bodies.OriginTimestamp, millis}, {bodies.OriginTopic, text}, {bodies.OriginPartition, plainType(parquet.Types.Int32)}, {bodies.OriginOffset, plainType(parquet.Types.Int64)},
		} {
			node, err := f.typ.node(f.name, required)
			if err != nil {
				return nil, err
			}
			fields = append(fields, node)
		}
	}
	return pqschema.NewGroupNode("schema", parquet.Repetitions.Required, fields, -1)
}

func typedFields(t *schema.Type) (pqschema.FieldList, error) {
	var fields pqschema.FieldList
	for _, f := range t.Fields {
		node, err := typedNode(f.Name, f.Type)
		if err != nil {
			return nil, err
		}
		fields = append(fields, node)
	}
	return fields, nil
}

func typedNode(name string, t *schema.Type) (pqschema.Node, error) {
	r := parquet.Repetitions.Required
	if t.Nullable {
		r = parquet.Repetitions.Optional
	}
	switch t.Kind {
	case schema.Record:
		fields, err := typedFields(t)
		if err != nil {
			return nil, err
		}
		return pqschema.NewGroupNode(name, r, fields, -1)
	case schema.Array:
		return repeated(name, r, "list", pqschema.ListLogicalType{}, member{"element", t.Items})
	case schema.Map:
		return repeated(name, r, "key_value", pqschema.MapLogicalType{}, member{"key", &schema.Type{Kind: schema.String}}, member{"value", t.Items})
	default:
		return typeOf(t).node(name, r)
	}
}

type member struct {
	name string
	typ  *schema.Type
}

// repeated is a list or a map, in three levels.
func repeated(name string, r parquet.Repetition, middle string, logical pqschema.LogicalType, members ...member) (pqschema.Node, error) {
	var fields pqschema.FieldList
	for _, m := range members {
		node, err := typedNode(m.name, m.typ)
		if err != nil {
			return nil, err
		}
		fields = append(fields, node)
	}
	group, err := pqschema.NewGroupNode(middle, parquet.Repetitions.Repeated, fields, -1)
	if err != nil {
		return nil, err
	}
	return pqschema.NewGroupNodeLogical(name, r, pqschema.FieldList{group}, logical, -1)
}

// logicalType is what a column's values are.
type logicalType struct {
	logical  pqschema.LogicalType
	physical parquet.Type
	length   int // of fixed ones; -1
}

func plainType(t parquet.Type) logicalType { return logicalType{pqschema.NoLogicalType{}, t, -1} }

func (l logicalType) node(name string, r parquet.Repetition) (pqschema.Node, error) {
	return pqschema.NewPrimitiveNodeLogical(name, r, l.logical, l.physical, l.length, -1)
}

// typeOf maps a kind. Decimals are fixed bytes at any precision, which Hive and Impala have always read; UUIDs and
// the symbols of enums are strings, since Hive, Spark or pyarrow take Parquet's own for bytes.
func typeOf(t *schema.Type) logicalType {
	types := &parquet.Types
	timestamp := func(u pqschema.TimeUnitType) logicalType {
		return logicalType{pqschema.NewTimestampLogicalType(!t.Local, u), types.Int64, -1}
	}
	switch t.Kind {
	case schema.Boolean:
		return plainType(types.Boolean)
	case schema.Int:
		return plainType(types.Int32)
	case schema.Long:
		return plainType(types.Int64)
	case schema.Float:
		return plainType(types.Float)
	case schema.Double:
		return plainType(types.Double)
	case schema.String, schema.Enum, schema.UUID:
		return logicalType{pqschema.StringLogicalType{}, types.ByteArray, -1}
	case schema.Fixed:
		return logicalType{pqschema.NoLogicalType{}, types.FixedLenByteArray, t.Size}
	case schema.Decimal:
		return logicalType{pqschema.NewDecimalLogicalType(int32(t.Precision), int32(t.Scale)), types.FixedLenByteArray, schema.DecimalSize(t.Precision)}
	case schema.Date:
		return logicalType{pqschema.DateLogicalType{}, types.Int32, -1}
	case schema.TimeMillis:
		return logicalType{pqschema.NewTimeLogicalType(true, pqschema.TimeUnitMillis), types.Int32, -1}
	case schema.TimeMicros:
		return logicalType{pqschema.NewTimeLogicalType(true, pqschema.TimeUnitMicros), types.Int64, -1}
	case schema.TimestampMillis:
		return timestamp(pqschema.TimeUnitMillis)
	case schema.TimestampMicros:
		return timestamp(pqschema.TimeUnitMicros)
	case schema.TimestampNanos:
		return timestamp(pqschema.TimeUnitNanos)
	default:
		return plainType(types.ByteArray)
	}
}
