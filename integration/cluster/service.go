package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// Service is one server of the cluster.
type Service string

// The servers.
const (
	KDC          Service = "kdc"
	NameNode     Service = "namenode"
	DataNode1    Service = "datanode1"
	DataNode2    Service = "datanode2"
	Kafka        Service = "kafka"
	KMS          Service = "kms"
	ZooKeeper    Service = "zookeeper"
	HMaster      Service = "hmaster"
	RegionServer Service = "regionserver"
)

func (s Service) container() string { return "penstock-" + string(s) }

// Stop ends a server by SIGTERM and returns when it is gone. Its data stay.
func (c *Cluster) Stop(ctx context.Context, s Service) error { return c.run(ctx, "stop", string(s)) }

// Kill ends a server by SIGKILL.
func (c *Cluster) Kill(ctx context.Context, s Service) error { return c.run(ctx, "kill", string(s)) }

// Pause freezes every process of a server: its connections stay open and nothing answers, as after a SIGSTOP.
func (c *Cluster) Pause(ctx context.Context, s Service) error { return c.run(ctx, "pause", string(s)) }

// Resume thaws a paused server and returns when it is ready.
func (c *Cluster) Resume(ctx context.Context, s Service) error {
	return c.run(ctx, "resume", string(s))
}

// Run starts a server that was stopped or killed and returns when it is ready: a DataNode when it has registered with the
// NameNode, the NameNode when it has left safe mode (for which a DataNode must run), Kafka when its ports are open.
func (c *Cluster) Run(ctx context.Context, s Service) error { return c.run(ctx, "start", string(s)) }

// Restart stops a server, starts it and returns when it is ready.
func (c *Cluster) Restart(ctx context.Context, s Service) error {
	return c.run(ctx, "restart", string(s))
}

// Running reports whether a server's process is there, ready or not.
func (c *Cluster) Running(ctx context.Context, s Service) (bool, error) {
	out, err := c.output(exec.CommandContext(ctx, "docker", "inspect", "-f", "{{.State.Running}}", s.container()))
	return strings.TrimSpace(string(out)) == "true", err
}

// Started returns when a server's process began.
func (c *Cluster) Started(ctx context.Context, s Service) (time.Time, error) {
	out, err := c.output(exec.CommandContext(ctx, "docker", "inspect", "-f", "{{.State.StartedAt}}", s.container()))
	if err != nil {
		return time.Time{}, err
	}
	return time.Parse(time.RFC3339Nano, strings.TrimSpace(string(out)))
}

// Logs returns what a server has printed since a point in time.
func (c *Cluster) Logs(ctx context.Context, s Service, since time.Time) (string, error) {
	cmd := exec.CommandContext(ctx, "docker", "logs", "--since", since.Format(time.RFC3339Nano), s.container())
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("read the log of %s: %w: %s", s, err, tail(string(out)))
	}
	return string(out), nil
}

// JMX returns the beans of the NameNode or a DataNode that match a query, such as "Hadoop:service=NameNode,name=RpcDetailedActivityForPort8020".
func (c *Cluster) JMX(ctx context.Context, s Service, query string) ([]map[string]any, error) {
	out, err := c.output(exec.CommandContext(ctx, "docker", "exec", "penstock-toolbox-hadoop", "jmx", string(s), query))
	if err != nil {
		return nil, err
	}
	var answer struct {
		Beans []map[string]any `json:"beans"`
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		return nil, fmt.Errorf("parse the beans of %s: %w", s, err)
	}
	return answer.Beans, nil
}

// LimitTickets makes every ticket that a user gets from now on end after d, without a restart; zero takes the limit away.
// Tickets that exist live on.
func (c *Cluster) LimitTickets(ctx context.Context, user string, d time.Duration) error {
	life := c.values["TICKET_LIFE"]
	if d > 0 {
		life = fmt.Sprintf("%ds", int(d.Seconds()))
	}
	_, err := c.Admin(ctx, KAdmin, "modprinc", "-maxlife", life, user)
	return err
}
