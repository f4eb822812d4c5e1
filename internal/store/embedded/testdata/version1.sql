-- A database of schema version 1, as the version that shipped it wrote it.
PRAGMA application_id = 1280068947;
CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE partitions(hour INTEGER PRIMARY KEY, name TEXT NOT NULL, events INTEGER NOT NULL DEFAULT 0, anomalies INTEGER NOT NULL DEFAULT 0);
CREATE TABLE d_2031051709(id INTEGER PRIMARY KEY, val TEXT NOT NULL UNIQUE);
CREATE TABLE ev_2031051709(
 time INTEGER NOT NULL, id BLOB NOT NULL, svc, model, trace BLOB, span BLOB, parent BLOB, start INTEGER, flags INTEGER NOT NULL,
 env, region, tenant, op, provider, req_model, finish, agent, error_type,
 in_tok INTEGER, out_tok INTEGER, total_tok INTEGER, cache_read_tok INTEGER, cache_write_tok INTEGER, reasoning_tok INTEGER,
 cost_usd REAL, ttft_ms REAL, latency_ms REAL,
 response_id TEXT, conversation TEXT, user TEXT, error_message TEXT, metadata TEXT, prompt TEXT, response TEXT,
 PRIMARY KEY(time, id)) WITHOUT ROWID;
CREATE INDEX ev_2031051709_trace ON ev_2031051709(trace) WHERE trace IS NOT NULL;
CREATE INDEX ev_2031051709_svc ON ev_2031051709(svc, time, id, model);
CREATE TABLE an_2031051709(
 time INTEGER NOT NULL, id BLOB NOT NULL, severity INTEGER NOT NULL, type, svc, model, method, metric, confidence REAL,
 value REAL, baseline REAL, threshold REAL, sigma REAL, body TEXT NOT NULL,
 PRIMARY KEY(time, id)) WITHOUT ROWID;
CREATE TABLE d_2031051710(id INTEGER PRIMARY KEY, val TEXT NOT NULL UNIQUE);
CREATE TABLE ev_2031051710(
 time INTEGER NOT NULL, id BLOB NOT NULL, svc, model, trace BLOB, span BLOB, parent BLOB, start INTEGER, flags INTEGER NOT NULL,
 env, region, tenant, op, provider, req_model, finish, agent, error_type,
 in_tok INTEGER, out_tok INTEGER, total_tok INTEGER, cache_read_tok INTEGER, cache_write_tok INTEGER, reasoning_tok INTEGER,
 cost_usd REAL, ttft_ms REAL, latency_ms REAL,
 response_id TEXT, conversation TEXT, user TEXT, error_message TEXT, metadata TEXT, prompt TEXT, response TEXT,
 PRIMARY KEY(time, id)) WITHOUT ROWID;
CREATE INDEX ev_2031051710_trace ON ev_2031051710(trace) WHERE trace IS NOT NULL;
CREATE INDEX ev_2031051710_svc ON ev_2031051710(svc, time, id, model);
CREATE TABLE an_2031051710(
 time INTEGER NOT NULL, id BLOB NOT NULL, severity INTEGER NOT NULL, type, svc, model, method, metric, confidence REAL,
 value REAL, baseline REAL, threshold REAL, sigma REAL, body TEXT NOT NULL,
 PRIMARY KEY(time, id)) WITHOUT ROWID;
CREATE TABLE d_2031051711(id INTEGER PRIMARY KEY, val TEXT NOT NULL UNIQUE);
CREATE TABLE ev_2031051711(
 time INTEGER NOT NULL, id BLOB NOT NULL, svc, model, trace BLOB, span BLOB, parent BLOB, start INTEGER, flags INTEGER NOT NULL,
 env, region, tenant, op, provider, req_model, finish, agent, error_type,
 in_tok INTEGER, out_tok INTEGER, total_tok INTEGER, cache_read_tok INTEGER, cache_write_tok INTEGER, reasoning_tok INTEGER,
 cost_usd REAL, ttft_ms REAL, latency_ms REAL,
 response_id TEXT, conversation TEXT, user TEXT, error_message TEXT, metadata TEXT, prompt TEXT, response TEXT,
 PRIMARY KEY(time, id)) WITHOUT ROWID;
CREATE INDEX ev_2031051711_trace ON ev_2031051711(trace) WHERE trace IS NOT NULL;
CREATE INDEX ev_2031051711_svc ON ev_2031051711(svc, time, id, model);
CREATE TABLE an_2031051711(
 time INTEGER NOT NULL, id BLOB NOT NULL, severity INTEGER NOT NULL, type, svc, model, method, metric, confidence REAL,
 value REAL, baseline REAL, threshold REAL, sigma REAL, body TEXT NOT NULL,
 PRIMARY KEY(time, id)) WITHOUT ROWID;
CREATE TABLE d_2031051712(id INTEGER PRIMARY KEY, val TEXT NOT NULL UNIQUE);
CREATE TABLE ev_2031051712(
 time INTEGER NOT NULL, id BLOB NOT NULL, svc, model, trace BLOB, span BLOB, parent BLOB, start INTEGER, flags INTEGER NOT NULL,
 env, region, tenant, op, provider, req_model, finish, agent, error_type,
 in_tok INTEGER, out_tok INTEGER, total_tok INTEGER, cache_read_tok INTEGER, cache_write_tok INTEGER, reasoning_tok INTEGER,
 cost_usd REAL, ttft_ms REAL, latency_ms REAL,
 response_id TEXT, conversation TEXT, user TEXT, error_message TEXT, metadata TEXT, prompt TEXT, response TEXT,
 PRIMARY KEY(time, id)) WITHOUT ROWID;
CREATE INDEX ev_2031051712_trace ON ev_2031051712(trace) WHERE trace IS NOT NULL;
CREATE INDEX ev_2031051712_svc ON ev_2031051712(svc, time, id, model);
CREATE TABLE an_2031051712(
 time INTEGER NOT NULL, id BLOB NOT NULL, severity INTEGER NOT NULL, type, svc, model, method, metric, confidence REAL,
 value REAL, baseline REAL, threshold REAL, sigma REAL, body TEXT NOT NULL,
 PRIMARY KEY(time, id)) WITHOUT ROWID;
CREATE VIEW events AS
SELECT strftime('%Y-%m-%dT%H:%M:%fZ', time / 1e9, 'unixepoch') AS at, time, lower(hex(id)) AS id, CASE typeof(svc) WHEN 'integer' THEN (SELECT val FROM d_2031051712 d WHERE d.id = t.svc) ELSE svc END AS svc, CASE typeof(model) WHEN 'integer' THEN (SELECT val FROM d_2031051712 d WHERE d.id = t.model) ELSE model END AS model, lower(hex(trace)) AS trace, lower(hex(span)) AS span, lower(hex(parent)) AS parent, start, flags, CASE typeof(env) WHEN 'integer' THEN (SELECT val FROM d_2031051712 d WHERE d.id = t.env) ELSE env END AS env, CASE typeof(region) WHEN 'integer' THEN (SELECT val FROM d_2031051712 d WHERE d.id = t.region) ELSE region END AS region, CASE typeof(tenant) WHEN 'integer' THEN (SELECT val FROM d_2031051712 d WHERE d.id = t.tenant) ELSE tenant END AS tenant, CASE typeof(op) WHEN 'integer' THEN (SELECT val FROM d_2031051712 d WHERE d.id = t.op) ELSE op END AS op, CASE typeof(provider) WHEN 'integer' THEN (SELECT val FROM d_2031051712 d WHERE d.id = t.provider) ELSE provider END AS provider, CASE typeof(req_model) WHEN 'integer' THEN (SELECT val FROM d_2031051712 d WHERE d.id = t.req_model) ELSE req_model END AS req_model, CASE typeof(finish) WHEN 'integer' THEN (SELECT val FROM d_2031051712 d WHERE d.id = t.finish) ELSE finish END AS finish, CASE typeof(agent) WHEN 'integer' THEN (SELECT val FROM d_2031051712 d WHERE d.id = t.agent) ELSE agent END AS agent, CASE typeof(error_type) WHEN 'integer' THEN (SELECT val FROM d_2031051712 d WHERE d.id = t.error_type) ELSE error_type END AS error_type, in_tok, out_tok, total_tok, cache_read_tok, cache_write_tok, reasoning_tok, cost_usd, ttft_ms, latency_ms, response_id, conversation, user, error_message, metadata, prompt, response FROM ev_2031051712 t
UNION ALL
SELECT strftime('%Y-%m-%dT%H:%M:%fZ', time / 1e9, 'unixepoch') AS at, time, lower(hex(id)) AS id, CASE typeof(svc) WHEN 'integer' THEN (SELECT val FROM d_2031051711 d WHERE d.id = t.svc) ELSE svc END AS svc, CASE typeof(model) WHEN 'integer' THEN (SELECT val FROM d_2031051711 d WHERE d.id = t.model) ELSE model END AS model, lower(hex(trace)) AS trace, lower(hex(span)) AS span, lower(hex(parent)) AS parent, start, flags, CASE typeof(env) WHEN 'integer' THEN (SELECT val FROM d_2031051711 d WHERE d.id = t.env) ELSE env END AS env, CASE typeof(region) WHEN 'integer' THEN (SELECT val FROM d_2031051711 d WHERE d.id = t.region) ELSE region END AS region, CASE typeof(tenant) WHEN 'integer' THEN (SELECT val FROM d_2031051711 d WHERE d.id = t.tenant) ELSE tenant END AS tenant, CASE typeof(op) WHEN 'integer' THEN (SELECT val FROM d_2031051711 d WHERE d.id = t.op) ELSE op END AS op, CASE typeof(provider) WHEN 'integer' THEN (SELECT val FROM d_2031051711 d WHERE d.id = t.provider) ELSE provider END AS provider, CASE typeof(req_model) WHEN 'integer' THEN (SELECT val FROM d_2031051711 d WHERE d.id = t.req_model) ELSE req_model END AS req_model, CASE typeof(finish) WHEN 'integer' THEN (SELECT val FROM d_2031051711 d WHERE d.id = t.finish) ELSE finish END AS finish, CASE typeof(agent) WHEN 'integer' THEN (SELECT val FROM d_2031051711 d WHERE d.id = t.agent) ELSE agent END AS agent, CASE typeof(error_type) WHEN 'integer' THEN (SELECT val FROM d_2031051711 d WHERE d.id = t.error_type) ELSE error_type END AS error_type, in_tok, out_tok, total_tok, cache_read_tok, cache_write_tok, reasoning_tok, cost_usd, ttft_ms, latency_ms, response_id, conversation, user, error_message, metadata, prompt, response FROM ev_2031051711 t
UNION ALL
SELECT strftime('%Y-%m-%dT%H:%M:%fZ', time / 1e9, 'unixepoch') AS at, time, lower(hex(id)) AS id, CASE typeof(svc) WHEN 'integer' THEN (SELECT val FROM d_2031051710 d WHERE d.id = t.svc) ELSE svc END AS svc, CASE typeof(model) WHEN 'integer' THEN (SELECT val FROM d_2031051710 d WHERE d.id = t.model) ELSE model END AS model, lower(hex(trace)) AS trace, lower(hex(span)) AS span, lower(hex(parent)) AS parent, start, flags, CASE typeof(env) WHEN 'integer' THEN (SELECT val FROM d_2031051710 d WHERE d.id = t.env) ELSE env END AS env, CASE typeof(region) WHEN 'integer' THEN (SELECT val FROM d_2031051710 d WHERE d.id = t.region) ELSE region END AS region, CASE typeof(tenant) WHEN 'integer' THEN (SELECT val FROM d_2031051710 d WHERE d.id = t.tenant) ELSE tenant END AS tenant, CASE typeof(op) WHEN 'integer' THEN (SELECT val FROM d_2031051710 d WHERE d.id = t.op) ELSE op END AS op, CASE typeof(provider) WHEN 'integer' THEN (SELECT val FROM d_2031051710 d WHERE d.id = t.provider) ELSE provider END AS provider, CASE typeof(req_model) WHEN 'integer' THEN (SELECT val FROM d_2031051710 d WHERE d.id = t.req_model) ELSE req_model END AS req_model, CASE typeof(finish) WHEN 'integer' THEN (SELECT val FROM d_2031051710 d WHERE d.id = t.finish) ELSE finish END AS finish, CASE typeof(agent) WHEN 'integer' THEN (SELECT val FROM d_2031051710 d WHERE d.id = t.agent) ELSE agent END AS agent, CASE typeof(error_type) WHEN 'integer' THEN (SELECT val FROM d_2031051710 d WHERE d.id = t.error_type) ELSE error_type END AS error_type, in_tok, out_tok, total_tok, cache_read_tok, cache_write_tok, reasoning_tok, cost_usd, ttft_ms, latency_ms, response_id, conversation, user, error_message, metadata, prompt, response FROM ev_2031051710 t
UNION ALL
SELECT strftime('%Y-%m-%dT%H:%M:%fZ', time / 1e9, 'unixepoch') AS at, time, lower(hex(id)) AS id, CASE typeof(svc) WHEN 'integer' THEN (SELECT val FROM d_2031051709 d WHERE d.id = t.svc) ELSE svc END AS svc, CASE typeof(model) WHEN 'integer' THEN (SELECT val FROM d_2031051709 d WHERE d.id = t.model) ELSE model END AS model, lower(hex(trace)) AS trace, lower(hex(span)) AS span, lower(hex(parent)) AS parent, start, flags, CASE typeof(env) WHEN 'integer' THEN (SELECT val FROM d_2031051709 d WHERE d.id = t.env) ELSE env END AS env, CASE typeof(region) WHEN 'integer' THEN (SELECT val FROM d_2031051709 d WHERE d.id = t.region) ELSE region END AS region, CASE typeof(tenant) WHEN 'integer' THEN (SELECT val FROM d_2031051709 d WHERE d.id = t.tenant) ELSE tenant END AS tenant, CASE typeof(op) WHEN 'integer' THEN (SELECT val FROM d_2031051709 d WHERE d.id = t.op) ELSE op END AS op, CASE typeof(provider) WHEN 'integer' THEN (SELECT val FROM d_2031051709 d WHERE d.id = t.provider) ELSE provider END AS provider, CASE typeof(req_model) WHEN 'integer' THEN (SELECT val FROM d_2031051709 d WHERE d.id = t.req_model) ELSE req_model END AS req_model, CASE typeof(finish) WHEN 'integer' THEN (SELECT val FROM d_2031051709 d WHERE d.id = t.finish) ELSE finish END AS finish, CASE typeof(agent) WHEN 'integer' THEN (SELECT val FROM d_2031051709 d WHERE d.id = t.agent) ELSE agent END AS agent, CASE typeof(error_type) WHEN 'integer' THEN (SELECT val FROM d_2031051709 d WHERE d.id = t.error_type) ELSE error_type END AS error_type, in_tok, out_tok, total_tok, cache_read_tok, cache_write_tok, reasoning_tok, cost_usd, ttft_ms, latency_ms, response_id, conversation, user, error_message, metadata, prompt, response FROM ev_2031051709 t;
CREATE VIEW anomalies AS
SELECT strftime('%Y-%m-%dT%H:%M:%fZ', time / 1e9, 'unixepoch') AS at, time, lower(hex(id)) AS id, severity, CASE typeof(type) WHEN 'integer' THEN (SELECT val FROM d_2031051712 d WHERE d.id = t.type) ELSE type END AS type, CASE typeof(svc) WHEN 'integer' THEN (SELECT val FROM d_2031051712 d WHERE d.id = t.svc) ELSE svc END AS svc, CASE typeof(model) WHEN 'integer' THEN (SELECT val FROM d_2031051712 d WHERE d.id = t.model) ELSE model END AS model, CASE typeof(method) WHEN 'integer' THEN (SELECT val FROM d_2031051712 d WHERE d.id = t.method) ELSE method END AS method, CASE typeof(metric) WHEN 'integer' THEN (SELECT val FROM d_2031051712 d WHERE d.id = t.metric) ELSE metric END AS metric, confidence, value, baseline, threshold, sigma, body FROM an_2031051712 t
UNION ALL
SELECT strftime('%Y-%m-%dT%H:%M:%fZ', time / 1e9, 'unixepoch') AS at, time, lower(hex(id)) AS id, severity, CASE typeof(type) WHEN 'integer' THEN (SELECT val FROM d_2031051711 d WHERE d.id = t.type) ELSE type END AS type, CASE typeof(svc) WHEN 'integer' THEN (SELECT val FROM d_2031051711 d WHERE d.id = t.svc) ELSE svc END AS svc, CASE typeof(model) WHEN 'integer' THEN (SELECT val FROM d_2031051711 d WHERE d.id = t.model) ELSE model END AS model, CASE typeof(method) WHEN 'integer' THEN (SELECT val FROM d_2031051711 d WHERE d.id = t.method) ELSE method END AS method, CASE typeof(metric) WHEN 'integer' THEN (SELECT val FROM d_2031051711 d WHERE d.id = t.metric) ELSE metric END AS metric, confidence, value, baseline, threshold, sigma, body FROM an_2031051711 t
UNION ALL
SELECT strftime('%Y-%m-%dT%H:%M:%fZ', time / 1e9, 'unixepoch') AS at, time, lower(hex(id)) AS id, severity, CASE typeof(type) WHEN 'integer' THEN (SELECT val FROM d_2031051710 d WHERE d.id = t.type) ELSE type END AS type, CASE typeof(svc) WHEN 'integer' THEN (SELECT val FROM d_2031051710 d WHERE d.id = t.svc) ELSE svc END AS svc, CASE typeof(model) WHEN 'integer' THEN (SELECT val FROM d_2031051710 d WHERE d.id = t.model) ELSE model END AS model, CASE typeof(method) WHEN 'integer' THEN (SELECT val FROM d_2031051710 d WHERE d.id = t.method) ELSE method END AS method, CASE typeof(metric) WHEN 'integer' THEN (SELECT val FROM d_2031051710 d WHERE d.id = t.metric) ELSE metric END AS metric, confidence, value, baseline, threshold, sigma, body FROM an_2031051710 t
UNION ALL
SELECT strftime('%Y-%m-%dT%H:%M:%fZ', time / 1e9, 'unixepoch') AS at, time, lower(hex(id)) AS id, severity, CASE typeof(type) WHEN 'integer' THEN (SELECT val FROM d_2031051709 d WHERE d.id = t.type) ELSE type END AS type, CASE typeof(svc) WHEN 'integer' THEN (SELECT val FROM d_2031051709 d WHERE d.id = t.svc) ELSE svc END AS svc, CASE typeof(model) WHEN 'integer' THEN (SELECT val FROM d_2031051709 d WHERE d.id = t.model) ELSE model END AS model, CASE typeof(method) WHEN 'integer' THEN (SELECT val FROM d_2031051709 d WHERE d.id = t.method) ELSE method END AS method, CASE typeof(metric) WHEN 'integer' THEN (SELECT val FROM d_2031051709 d WHERE d.id = t.metric) ELSE metric END AS metric, confidence, value, baseline, threshold, sigma, body FROM an_2031051709 t;
INSERT INTO meta VALUES('schema_version',1);
INSERT INTO partitions VALUES(537993,'2031051709',1,1);
INSERT INTO partitions VALUES(537994,'2031051710',1,1);
INSERT INTO partitions VALUES(537995,'2031051711',1,1);
INSERT INTO partitions VALUES(537996,'2031051712',1,1);
INSERT INTO d_2031051709 VALUES(1,'shop');
INSERT INTO d_2031051709 VALUES(2,'gpt-1');
INSERT INTO d_2031051709 VALUES(3,'prod');
INSERT INTO d_2031051709 VALUES(4,'t1');
INSERT INTO d_2031051709 VALUES(5,'chat');
INSERT INTO d_2031051709 VALUES(6,'openai');
INSERT INTO d_2031051709 VALUES(7,'gpt');
INSERT INTO d_2031051709 VALUES(8,'latency_spike');
INSERT INTO d_2031051709 VALUES(9,'gpt-0');
INSERT INTO d_2031051709 VALUES(10,'mad');
INSERT INTO d_2031051709 VALUES(11,'latency_ms');
INSERT INTO ev_2031051709 VALUES(1936776600000000000,x'04000000000000000000000000000000',1,2,x'040000000000000000000000000000ab',x'0400000000000000',NULL,1936776599000000000,0,3,NULL,4,5,6,7,NULL,NULL,NULL,300,NULL,NULL,NULL,NULL,NULL,0.25,NULL,3.5,NULL,'talk','it''s me',NULL,'{"k":"v"}',NULL,NULL);
INSERT INTO an_2031051709 VALUES(1936776600000000000,x'a0030000000000000000000000000000',3,8,1,9,10,11,0.5,9,1,3,4,'{"trace_id":"ABCDEF00000000000000000000000001","event_id":"04000000-0000-0000-0000-000000000000"}');
INSERT INTO d_2031051710 VALUES(1,'shop');
INSERT INTO d_2031051710 VALUES(2,'gpt-0');
INSERT INTO d_2031051710 VALUES(3,'prod');
INSERT INTO d_2031051710 VALUES(4,'t1');
INSERT INTO d_2031051710 VALUES(5,'chat');
INSERT INTO d_2031051710 VALUES(6,'openai');
INSERT INTO d_2031051710 VALUES(7,'gpt');
INSERT INTO d_2031051710 VALUES(8,'latency_spike');
INSERT INTO d_2031051710 VALUES(9,'mad');
INSERT INTO d_2031051710 VALUES(10,'latency_ms');
INSERT INTO ev_2031051710 VALUES(1936779600000000000,x'03000000000000000000000000000000',1,2,x'030000000000000000000000000000ab',x'0300000000000000',NULL,1936779599000000000,0,3,NULL,4,5,6,7,NULL,NULL,NULL,200,NULL,NULL,NULL,NULL,NULL,0.25,NULL,2.5,NULL,'talk','it''s me',NULL,'{"k":"v"}',NULL,NULL);
INSERT INTO an_2031051710 VALUES(1936779600000000000,x'a0020000000000000000000000000000',3,8,1,2,9,10,0.5,9,1,3,4,'{"trace_id":"030000000000000000000000000000ab","event_id":"03000000-0000-0000-0000-000000000000"}');
INSERT INTO d_2031051711 VALUES(1,'shop');
INSERT INTO d_2031051711 VALUES(2,'gpt-1');
INSERT INTO d_2031051711 VALUES(3,'prod');
INSERT INTO d_2031051711 VALUES(4,'t1');
INSERT INTO d_2031051711 VALUES(5,'chat');
INSERT INTO d_2031051711 VALUES(6,'openai');
INSERT INTO d_2031051711 VALUES(7,'gpt');
INSERT INTO d_2031051711 VALUES(8,'latency_spike');
INSERT INTO d_2031051711 VALUES(9,'gpt-0');
INSERT INTO d_2031051711 VALUES(10,'mad');
INSERT INTO d_2031051711 VALUES(11,'latency_ms');
INSERT INTO ev_2031051711 VALUES(1936782600000000000,x'02000000000000000000000000000000',1,2,x'020000000000000000000000000000ab',x'0200000000000000',NULL,1936782599000000000,2,3,NULL,4,5,6,7,NULL,NULL,NULL,100,NULL,NULL,NULL,NULL,NULL,0.25,NULL,1.5,NULL,'talk','it''s me',NULL,'{"k":"v"}',NULL,NULL);
INSERT INTO an_2031051711 VALUES(1936782600000000000,x'a0010000000000000000000000000000',3,8,1,9,10,11,0.5,9,1,3,4,'{"trace_id":"020000000000000000000000000000ab","event_id":"02000000-0000-0000-0000-000000000000"}');
INSERT INTO d_2031051712 VALUES(1,'shop');
INSERT INTO d_2031051712 VALUES(2,'gpt-0');
INSERT INTO d_2031051712 VALUES(3,'prod');
INSERT INTO d_2031051712 VALUES(4,'t1');
INSERT INTO d_2031051712 VALUES(5,'chat');
INSERT INTO d_2031051712 VALUES(6,'openai');
INSERT INTO d_2031051712 VALUES(7,'gpt');
INSERT INTO d_2031051712 VALUES(8,'latency_spike');
INSERT INTO d_2031051712 VALUES(9,'mad');
INSERT INTO d_2031051712 VALUES(10,'latency_ms');
INSERT INTO ev_2031051712 VALUES(1936785600000000000,x'01000000000000000000000000000000',1,2,x'010000000000000000000000000000ab',x'0100000000000000',NULL,1936785599000000000,0,3,NULL,4,5,6,7,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,0.25,NULL,0.5,NULL,'talk','it''s me',NULL,'{"k":"v"}',NULL,NULL);
INSERT INTO an_2031051712 VALUES(1936785600000000000,x'a0000000000000000000000000000000',3,8,1,2,9,10,0.5,9,1,3,4,'{"trace_id":"010000000000000000000000000000ab","event_id":"01000000-0000-0000-0000-000000000000"}');
