package bodies

// The columns behind those of a schema that tell where an event came from.
const (
	OriginTimestamp = "kafka_timestamp" // of the record, in milliseconds since 1970
	OriginTopic     = "kafka_topic"
	OriginPartition = "kafka_partition"
	OriginOffset    = "kafka_offset"
)

// Origin lists them in the order in which files have them.
func Origin() []string {
	return []string{OriginTimestamp, OriginTopic, OriginPartition, OriginOffset}
}
