// Package badinput shows what becomes of bad input: each case has an outcome (a dead letter, a gap, a refusal), a message that names
// what, where, why and what to do, and nothing is lost. Its tests run the real binary against the real cluster; what a refusal names
// as its remedy they run as it stands there, and then they count. Messages are held to testdata/*.golden.
//
// Events (TestOddEvents, unless said otherwise):
//
//	key, body or header is no UTF-8     published as it is; in a path as %XX
//	name of a header is no UTF-8        dead letter invalid_utf8 (Parquet; text formats write no headers)
//	null body, null key                 published as null; text: dead letter null_body (formats/textfile)
//	tombstones, compacted topic         null bodies, and gaps "compacted"                          TestTombstones
//	10 MiB event                        published                                                  TestOneEventOfTenMegabytes
//	year 9999, epoch 0, no time         dead letter bad_event_time where the path has a time in it
//	missing or empty header in a path   after key=: __HIVE_DEFAULT_PARTITION__; else missing_header, or a dead letter
//	../ or : in a bucket's value        written as %XX, below the sink's directory
//	300 bytes in a bucket's value       dead letter bad_bucket
//	does not fit the sink's schema      dead letter with the place of the fault                    TestTypedJSON, TestTypedDatums, TestAvroFilesOfJSON, …OfDatums; formats/jsondecoder, …/avrodecoder
//	a field in a path                   null: as a header; no single value: dead letter wrong_type  TestPathOfFields; formats/bodies
//	version that cannot be read         dead letter incompatible_schema, unknown_schema, no_schema_id  TestRegistry; formats/bodies
//	schema registry away                what is known goes on, what is not waits                   TestRegistry
//
// The log:
//
//	topic made again under the agent    refused: state accept-topic                                TestTopicMadeAgain
//	topic made again, log shorter       refused: state accept-topic                                TestLogTruncated
//	same topic, another event there     refused: state accept-topic                                brokerlink: TestCheck; hdfssink: TestRefusals
//	retention past low                  refused: state accept-gap; on_gap: accept: a gap           TestRetentionPassedLow, …ByPolicy
//	a batch that cannot be decoded      refused: state accept-gap                                  brokerlink: TestDamagedLogs; hdfssink: TestRefusals
//	no such topic                       ends, 69                                                   TestNoSuchTopic
//
// The file system:
//
//	no write permission                 tried again, shown until a commit                          TestNoPermission, …ForState; ingest/agent: TestBlockedUntilACommit
//	name quota, space quota             tried again, shown until a commit                          TestNameQuota, TestSpaceQuota
//	base directory removed              refused: state adopt                                       TestBaseDirectoryRemoved
//	only a part of the state removed    refused: restore it                                        hdfssink: TestStateRemovedWhileRunning
//	corrupt manifest                    refused: restore it, or state reset                        TestCorruptManifest, …GivenUp
//	foreign file in the way             refused until it is moved away                             TestForeignFile
//	committed file lost                 refused: state accept-missing                              hdfssink/commitlog: TestProtocolLostFile
//
// States and configurations:
//
//	two groups on one state             the second is refused; the first goes on                   TestTwoGroups
//	two agents that fence each other    refused after five times                                   hdfssink: TestTwoOwnersThatDoNotKnowOfEachOther
//	two sinks on one channel            nothing starts, 78                                         TestTwoSinks
//	path changed, state would move      refused: state adopt, or `state:`                          TestPathMoved, TestPathMovedWithState
//	hints that do not fit               refused: state adopt                                       hdfssink/commitlog: TestHints, TestRenamedSink
//	invalid, contradictory, unknown     nothing starts, 78, with line and column                   conf: TestErrors; cmd/penstock: TestConfigErrors
//
// Logins:
//
//	wrong keytab                        nothing starts, 77                                         TestWrongKeytab
//	stale key in the keytab             waits for another keytab                                   TestStaleKeytab
//	clock skew                          waits; says by how much                                    kerberos: TestClockSkew
//	KDC down at start                   waits                                                      TestKDCDownAtStart
//	broker down at start                waits                                                      TestBrokerDown
//	broker without the mechanism        ends, 77                                                   TestWithoutTheMechanism
//	login wanted and none configured    waits; says what is missing                                TestNoLogin; brokerlink: TestLoginAndTLS
//	protections of calls and data       each works, and seals what it should                        TestProtections
//	proxy user that is not allowed      tried again, shown                                          TestProxyUser
//	cancelled delegation token          waits for another                                          TestDelegationToken
//	20 mistakes in logins and targets   doctor's first failure names each                          TestDoctor; kerberos: TestExaminePlanted
package badinput
