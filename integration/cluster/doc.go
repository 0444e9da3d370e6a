// Package cluster gives tests a real Hadoop and Kafka under Kerberos: a KDC, a NameNode, two DataNodes and a broker, each in
// a container on the loopback addresses of this machine.
//
// [Start] hands out the cluster, which it brings up when it does not run; the same script does it for people (make
// cluster-up), and what runs already is used as it is. There is one cluster on a machine, so tests that stop servers or
// switch protections must not run beside others: the Makefile runs the packages of integration one after the other. Names of
// topics and directories are the test's own; give them a prefix.
//
// Everything that a client needs are plain files at the same path for everybody: see [Conf]. Administration goes through
// [Cluster.HDFS] and [Cluster.Admin], which run the real command line tools inside JVMs that are already warm, in tens of
// milliseconds.
//
// The directory of the cluster is build/cluster in the checkout, or PENSTOCK_CLUSTER_DIR.
package cluster
