package sentineljsonencodingextension

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Headers of a dead letter; the value is the message as it stood.
const (
	headerReason   = "sentinel.reason"
	headerError    = "sentinel.error"
	headerTime     = "sentinel.time"
	headerFormat   = "sentinel.format"
	headerEncoding = "sentinel.encoding"
)

// maxRecordBytes leaves it to the broker which records are too large: a message
// may be a dead letter because of its size.
const maxRecordBytes = 64 << 20

var mechanisms = map[string]func(user, password string) sasl.Mechanism{
	"PLAIN":         func(u, p string) sasl.Mechanism { return plain.Auth{User: u, Pass: p}.AsMechanism() },
	"SCRAM-SHA-256": func(u, p string) sasl.Mechanism { return scram.Auth{User: u, Pass: p}.AsSha256Mechanism() },
	"SCRAM-SHA-512": func(u, p string) sasl.Mechanism { return scram.Auth{User: u, Pass: p}.AsSha512Mechanism() },
}

// kafkaSink produces dead letters to a topic.
type kafkaSink struct {
	client   *kgo.Client
	encoding string
}

// newKafkaSink does not connect; brokers that are away are waited for when
// there is a letter.
func newKafkaSink(ctx context.Context, cfg *KafkaConfig, encoding string) (*kafkaSink, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(cfg.Brokers...),
		kgo.ClientID(cfg.ClientID),
		kgo.DefaultProduceTopic(cfg.Topic),
		kgo.AllowAutoTopicCreation(),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		// A letter may be there twice, so that an attempt may end at any time.
		kgo.DisableIdempotentWrite(),
		kgo.ProducerBatchMaxBytes(maxRecordBytes),
		kgo.ProducerLinger(0),
	}
	if c := cfg.TLS.Get(); c != nil {
		t, err := c.LoadTLSConfig(ctx)
		if err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
		if t != nil { // nil for insecure
			opts = append(opts, kgo.DialTLSConfig(t))
		}
	}
	if c := cfg.SASL.Get(); c != nil {
		opts = append(opts, kgo.SASL(mechanisms[c.Mechanism](c.Username, string(c.Password))))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, err
	}
	return &kafkaSink{client: client, encoding: encoding}, nil
}

// write waits until all replicas that are in sync have the letters. What is
// larger than the topic allows is refused.
func (s *kafkaSink) write(ctx context.Context, list []letter) (left []letter, refused int, err error) {
	records := make([]*kgo.Record, len(list))
	for i := range list {
		l := &list[i]
		records[i] = &kgo.Record{Value: l.message, Headers: []kgo.RecordHeader{
			{Key: headerReason, Value: []byte(l.err.reason)},
			{Key: headerError, Value: []byte(l.err.text)},
			{Key: headerTime, Value: []byte(l.time.UTC().Format(time.RFC3339Nano))},
			{Key: headerFormat, Value: []byte(l.format)},
			{Key: headerEncoding, Value: []byte(s.encoding)},
		}}
	}
	failed := map[*kgo.Record]error{}
	for _, r := range s.client.ProduceSync(ctx, records...) {
		if r.Err != nil {
			failed[r.Record] = r.Err
		}
	}
	for i, r := range records {
		switch e := failed[r]; {
		case e == nil:
		case errors.Is(e, kerr.MessageTooLarge), errors.Is(e, kerr.RecordListTooLarge):
			refused++
		default:
			left, err = append(left, list[i]), e
		}
	}
	return left, refused, err
}

func (s *kafkaSink) close(context.Context) error {
	s.client.Close()
	return nil
}
