package hadoopxml

// deprecated maps old names that matter to a client to those of today.
func deprecated() map[string]string {
	return map[string]string{
		"fs.default.name":               "fs.defaultFS",
		"dfs.federation.nameservices":   "dfs.nameservices",
		"dfs.federation.nameservice.id": "dfs.nameservice.id",
		"dfs.block.size":                "dfs.blocksize",
		"dfs.umaskmode":                 "fs.permissions.umask-mode",
		"dfs.permissions":               "dfs.permissions.enabled",
		"dfs.permissions.supergroup":    "dfs.permissions.superusergroup",
		"dfs.http.address":              "dfs.namenode.http-address",
		"dfs.https.address":             "dfs.namenode.https-address",
		"dfs.write.packet.size":         "dfs.client-write-packet-size",
		"dfs.socket.timeout":            "dfs.client.socket-timeout",
		"io.bytes.per.checksum":         "dfs.bytes-per-checksum",
		"topology.script.file.name":     "net.topology.script.file.name",
	}
}

// coreDefaults are those of core-default.xml that a client's behavior, or another value, depends on.
func coreDefaults() []parsed {
	return []parsed{
		byDefault("hadoop.tmp.dir", "/tmp/hadoop-${user.name}"),
		byDefault("fs.defaultFS", "file:///"),
		byDefault("fs.permissions.umask-mode", "022"),
		byDefault("hadoop.security.authentication", "simple"),
		byDefault("hadoop.rpc.protection", "authentication"),
	}
}

// hdfsDefaults are those of hdfs-default.xml.
func hdfsDefaults() []parsed {
	return []parsed{
		byDefault("dfs.encrypt.data.transfer", "false"),
		byDefault("dfs.encrypt.data.transfer.cipher.key.bitlength", "128"),
		byDefault("dfs.client.use.datanode.hostname", "false"),
		byDefault("dfs.replication", "3"),
		byDefault("dfs.blocksize", "134217728"),
		byDefault("dfs.bytes-per-checksum", "512"),
		byDefault("dfs.namenode.fs-limits.max-component-length", "255"),
	}
}

func byDefault(name, value string) parsed { return parsed{name: name, value: value, hasValue: true} }
