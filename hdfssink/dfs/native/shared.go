package native

import (
	"context"
	"maps"
	"net"
	"strconv"
	"sync"
	"time"
)

// cacheFor is how long answers that are the same for every file are kept. Data encryption keys live for hours.
const cacheFor = time.Minute

// avoidFor is how long a DataNode that could not be reached is kept out of new pipelines. The NameNode takes minutes (10.5 by default) to
// notice that one is gone, and gives it out meanwhile.
const avoidFor = time.Minute

// probeTimeout bounds the look at the DataNodes of a block that failed.
const probeTimeout = time.Second

// shared is what the links of a file system know together, so that not every file has to ask for it or run into it.
type shared struct {
	mu      sync.Mutex
	answers map[string]cached    // by method
	bad     map[string]exclusion // by address
	sealed  bool                 // the NameNode wants data transfer to be encrypted
}

type cached struct {
	rest  []byte
	until time.Time
}

// exclusion is a DataNode that could not be reached, as DatanodeInfoProto.
type exclusion struct {
	node  []byte
	until time.Time
}

// cacheable reports whether the answer to a method does not depend on its request and lasts a while.
func cacheable(method string) bool {
	return method == "getServerDefaults" || method == "getDataEncryptionKey"
}

func (s *shared) answer(method string) (rest []byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.answers[method]
	return a.rest, ok && time.Now().Before(a.until)
}

func (s *shared) keep(method string, rest []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.answers == nil {
		s.answers = map[string]cached{}
	}
	s.answers[method] = cached{rest: rest, until: time.Now().Add(cacheFor)}
}

// forget drops the answers: a key may have been the reason why a DataNode hung up.
func (s *shared) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = nil
}

func (s *shared) setEncrypts(yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed = yes
}

func (s *shared) encrypts() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sealed
}

func (s *shared) avoid(addr string, node []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bad == nil {
		s.bad = map[string]exclusion{}
	}
	s.bad[addr] = exclusion{node: node, until: time.Now().Add(avoidFor)}
}

// exclude adds the DataNodes to avoid to an AddBlockRequestProto {…, excludeNodes = 4}.
func (s *shared) exclude(body []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.bad, func(_ string, e exclusion) bool { return time.Now().After(e.until) })
	body = append([]byte(nil), body...)
	for _, e := range s.bad {
		body = appendBytes(body, 4, e.node)
	}
	return body
}

// pipeline is the DataNodes of an AddBlockResponseProto {block = 1 {locs = 3: DatanodeInfoProto {id = 1 {ipAddr = 1, hostName = 2, xferPort = 4}}}}.
func pipeline(rest []byte, byName bool) map[string][]byte {
	nodes := map[string][]byte{}
	body, _, err := delimited(rest)
	if err != nil {
		return nodes // the library will say so
	}
	_ = fields(body, func(block field) bool {
		return block.num != 1 || fields(block.bytes, func(loc field) bool {
			if loc.num == 3 && loc.kind == wireBytes {
				if addr := nodeAddress(loc.bytes, byName); addr != "" {
					nodes[addr] = append([]byte(nil), loc.bytes...)
				}
			}
			return true
		}) == nil
	})
	return nodes
}

func nodeAddress(node []byte, byName bool) string {
	var ip, name string
	var port uint64
	_ = fields(node, func(id field) bool {
		return id.num != 1 || fields(id.bytes, func(f field) bool {
			switch f.num {
			case 1:
				ip = string(f.bytes)
			case 2:
				name = string(f.bytes)
			case 4:
				port = f.value
			}
			return true
		}) == nil
	})
	if byName {
		ip = name
	}
	if ip == "" || port == 0 {
		return ""
	}
	return net.JoinHostPort(ip, strconv.FormatUint(port, 10))
}

// probe finds out which DataNodes of the last block cannot be reached, after something went wrong with it. (The first of the pipeline
// knows which of the others failed, but the library does not pass that on.)
func (l *link) probe() {
	l.f.shared.forget()
	l.mu.Lock()
	nodes := l.nodes
	l.nodes = nil
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), min(probeTimeout, l.f.o.DialTimeout))
	defer cancel()
	var all sync.WaitGroup
	for addr, node := range nodes {
		all.Go(func() {
			c, err := l.f.o.Dial(ctx, "tcp", addr)
			if err != nil {
				l.f.shared.avoid(addr, node)
				return
			}
			_ = c.Close()
		})
	}
	all.Wait()
}

// echoBlock answers updateBlockForPipeline, which the library calls after each block and whose answer it does not look at, with the block it
// asked about. Java's client calls it only to repair a pipeline; each call is a write to the NameNode's edit log.
func echoBlock(body []byte) (rest []byte, ok bool) {
	_ = fields(body, func(f field) bool {
		if f.num == 1 && f.kind == wireBytes { // LocatedBlockProto {b = 1, offset = 2, corrupt = 4, blockToken = 5}
			l := appendBytes(nil, 1, f.bytes)
			l = appendVarint(l, 2, 0)
			l = appendVarint(l, 4, 0)
			var token []byte // TokenProto {identifier = 1, password = 2, kind = 3, service = 4}
			for num := 1; num <= 4; num++ {
				token = appendBytes(token, num, "")
			}
			rest, ok = appendDelimited(nil, appendBytes(nil, 1, appendBytes(l, 5, token))), true
		}
		return !ok
	})
	return rest, ok
}
