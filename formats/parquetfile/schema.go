package parquetfile

import (
	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/schema"
)

// The places of the raw columns among the leaves.
const (
	keyColumn = iota
	bodyColumn
	headerKeyColumn
	headerValueColumn
	timestampColumn
	topicColumn
	partitionColumn
	offsetColumn
	reasonColumn // only dead letters from here on
	pathColumn
	detailColumn
)

func rawLeaves(deadLetters bool) []leaf {
	leaves := []leaf{
		{path: "key", maxDef: 1, stats: byteRange},
		{path: "body", maxDef: 1},
		{path: "headers.key_value.key", maxRep: 1, maxDef: 1},
		{path: "headers.key_value.value", maxRep: 1, maxDef: 2},
		{path: "timestamp", kind: int64s, stats: int64Range},
		{path: "topic", constant: theTopic},
		{path: "partition", constant: thePartition},
		{path: "offset", kind: int64s, stats: int64Range},
	}
	if deadLetters {
		leaves = append(leaves, leaf{path: "reason", maxDef: 1, stats: byteRange}, leaf{path: "path", maxDef: 1}, leaf{path: "detail", maxDef: 1})
	}
	return leaves
}

// rawSchema is the schema of package comment's picture. The nodes are constants: what the Must functions
// would panic on is a mistake in this function.
func rawSchema(deadLetters bool) *schema.GroupNode {
	required, optional := parquet.Repetitions.Required, parquet.Repetitions.Optional
	binary := func(name string, r parquet.Repetition) schema.Node { return schema.NewByteArrayNode(name, r, -1) }
	text := func(name string, r parquet.Repetition) schema.Node {
		return schema.MustPrimitive(schema.NewPrimitiveNodeLogical(name, r, schema.StringLogicalType{}, parquet.Types.ByteArray, -1, -1))
	}
	headerKey := text("key", required)
	if deadLetters {
		headerKey = binary("key", required)
	}
	millis := schema.NewTimestampLogicalType(true, schema.TimeUnitMillis)
	fields := schema.FieldList{
		binary("key", optional),
		binary("body", optional),
		schema.MustGroup(schema.MapOf("headers", headerKey, binary("value", optional), required, -1)),
		schema.MustPrimitive(schema.NewPrimitiveNodeLogical("timestamp", required, millis, parquet.Types.Int64, -1, -1)),
		text("topic", required),
		schema.NewInt32Node("partition", required, -1),
		schema.NewInt64Node("offset", required, -1),
	}
	if deadLetters {
		fields = append(fields, text("reason", optional), text("path", optional), text("detail", optional))
	}
	return schema.MustGroup(schema.NewGroupNode("schema", required, fields, -1))
}
