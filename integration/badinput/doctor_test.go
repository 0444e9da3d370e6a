//go:build integration

package badinput

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// changed writes the site's configuration anew, with one text for another, and returns its name.
func (s *site) changed(t *testing.T, old, text string) string {
	t.Helper()
	config, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(config), old) {
		t.Fatalf("the configuration has no %q", old)
	}
	name := filepath.Join(t.TempDir(), "penstock.yaml")
	if err := os.WriteFile(name, []byte(strings.Replace(string(config), old, text, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestDoctor: all is well on the cluster as it is, and each planted mistake is named, with what to do, by the first line that fails.
func TestDoctor(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	code, out, errs := command(t, "doctor", "-c", s.config)
	if code != 0 {
		t.Errorf("exit code %d: %s", code, errs)
	}
	for _, want := range []string{
		"ok      kerberos.ingest: read keytab ", "ok      kerberos.ingest: ask KDC ", "its clock agrees with ours", "ok      kerberos.ingest: log in ",
		"ok      kerberos.ingest: get a ticket for nn/localhost@EXAMPLE.TEST ", "ok      kerberos.ingest: get a ticket for kafka/localhost ",
		"ok      hadoop.default: ask the NameNode ", "is active of 1; as ingest@EXAMPLE.TEST; calls have auth-conf; data transfer: auth-conf",
		"ok      channels.events: describe ", "(1 partitions, 0 offsets)", "ok      sinks.lake: write, rename and delete a probe for ",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("nothing says %q:\n%s", want, out)
		}
	}
	s.put(t, s.base+"/file", "text")
	hadoop := `kerberos: ingest}`
	property := func(p string) string { return "kerberos: ingest, properties: {" + p + "}}" }
	for _, c := range []struct{ name, old, text, want string }{
		{"principal of the keytab", "principal: ingest@", "principal: nobody@", "kerberos.ingest: read keytab |has no key for nobody@EXAMPLE.TEST, but for: ingest@EXAMPLE.TEST"},
		{"Hadoop's configuration", "conf_dir: \"", "conf_dir: \"/nonexistent", "kerberos.ingest: find what it needs tickets for |core-site.xml"},
		{"realm", "ingest@EXAMPLE.TEST", "ingest@EXAMPLE.COM", "kerberos.ingest: read keytab |has no key for ingest@EXAMPLE.COM"},
		{"keytab's path", "ingest.keytab", "ingest.kaytab", "kerberos.ingest: read keytab |correct the path"},
		{"krb5.conf's path", "krb5.conf", "krb6.conf", "kerberos.ingest: read the krb5 configuration |krb6.conf"},
		{"NameNode's principal", hadoop, property(`dfs.namenode.kerberos.principal: "hdfs/_HOST@EXAMPLE.TEST"`), "kerberos.ingest: get a ticket for hdfs/localhost@EXAMPLE.TEST |KDC_ERR_S_PRINCIPAL_UNKNOWN"},
		{"NameNode's realm", hadoop, property(`dfs.namenode.kerberos.principal: "nn/_HOST@ELSEWHERE"`), "kerberos.ingest: get a ticket for nn/localhost@ELSEWHERE |ELSEWHERE"},
		{"NameNode's port", hadoop, property(`fs.defaultFS: "hdfs://localhost:1"`), "hadoop.default: ask the NameNode |connection refused"},
		{"protection of calls", hadoop, property(`hadoop.rpc.protection: authentication`), "hadoop.default: ask the NameNode |auth-conf|hadoop.rpc.protection"},
		{"protection of data", hadoop, property(`dfs.data.transfer.protection: integrity`), "sinks.lake: write, rename and delete a probe for |compare dfs.data.transfer.protection here and on the DataNode"},
		{"no protection of data", hadoop, property(`dfs.data.transfer.protection: ""`), "sinks.lake: write, rename and delete a probe for |dfs.data.transfer.protection"},
		{"umask", hadoop, property(`fs.permissions.umask-mode: "9"`), "read keytabs, ticket caches and Hadoop's configuration |fs.permissions.umask-mode"},
		{"cluster without security", hadoop, property(`hadoop.security.authentication: simple`), "hadoop.default: ask the NameNode |"},
		{"service name of the brokers", "mechanism: GSSAPI,", "mechanism: GSSAPI, service_name: kfaka,", "kerberos.ingest: get a ticket for kfaka/localhost |KDC_ERR_S_PRINCIPAL_UNKNOWN"},
		{"brokers' port", "brokers: [\"" + s.plan.Broker, "brokers: [\"localhost:1", "channels.events: describe |localhost:1"},
		{"mechanism", "sasl: {mechanism: GSSAPI, kerberos: ingest}", "sasl: {mechanism: SCRAM-SHA-512, user: u, password: 'env:HOME'}", "channels.events: describe |it does not offer SCRAM-SHA-512 but GSSAPI"},
		{"no login at the brokers", "sasl: {mechanism: GSSAPI, kerberos: ingest}", "client_id: c", "channels.events: describe |"},
		{"topic", "topics: [" + s.topic, "topics: [" + s.topic + "x", "channels.events: describe |does not exist"},
		{"rights of the directory", s.base + "/data", "/data-of-others", "sinks.lake: write, rename and delete a probe for /data-of-others |"},
		{"a file in the way", s.base + "/data", s.base + "/file", "sinks.lake: |is a file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			code, out, errs := command(t, "doctor", "-c", s.changed(t, c.old, c.text), "--timeout", "5s")
			if code == 0 {
				t.Fatalf("nothing is wrong:\n%s", out)
			}
			_, failed, _ := strings.Cut(out, "FAILED  ")
			failed, _, _ = strings.Cut(failed, "\n")
			for part := range strings.SplitSeq(c.want, "|") {
				if !strings.Contains(failed, part) {
					t.Errorf("it says %q\nand not %q\n%s", failed, part, errs)
				}
			}
		})
	}
}
