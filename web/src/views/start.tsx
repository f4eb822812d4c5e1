import { Copy } from '../ui';

/** What an empty store says: how to send the first call. */
export function HowToSend() {
  const host = location.hostname || 'localhost';
  const sdk = `export OTEL_EXPORTER_OTLP_ENDPOINT=http://${host}:4318
export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf`;
  const curl = `curl -sS http://${host}:4318/v1/traces -H 'Content-Type: application/json' -d '{
  "resourceSpans": [{
    "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "my-first-service"}}]},
    "scopeSpans": [{"spans": [{
      "traceId": "'$(openssl rand -hex 16)'", "spanId": "'$(openssl rand -hex 8)'",
      "name": "chat gpt-4o", "kind": 3,
      "startTimeUnixNano": "'$(($(date +%s)-1))'000000000", "endTimeUnixNano": "'$(date +%s)'000000000",
      "attributes": [
        {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
        {"key": "gen_ai.provider.name", "value": {"stringValue": "openai"}},
        {"key": "gen_ai.request.model", "value": {"stringValue": "gpt-4o"}},
        {"key": "gen_ai.usage.input_tokens", "value": {"intValue": 120}},
        {"key": "gen_ai.usage.output_tokens", "value": {"intValue": 45}}
      ]
    }]}]
  }]
}'`;
  return (
    <section class="panel start" aria-labelledby="start">
      <h2 id="start">Nothing has arrived yet</h2>
      <p>This collector runs and waits for LLM calls. The page fills by itself as soon as the first one is stored.</p>
      <ol>
        <li>
          <h3>Point your application at it</h3>
          <p>Any OpenTelemetry SDK with GenAI instrumentation will do:</p>
          <Command text={sdk} />
        </li>
        <li>
          <h3>Or send one call by hand</h3>
          <Command text={curl} />
        </li>
      </ol>
      <p class="muted">
        These addresses are those of the otlp receiver in the default configuration. When calls were sent and nothing shows up,{' '}
        <a href="#/health">Health</a> says which component has a problem.
      </p>
    </section>
  );
}

function Command({ text }: { text: string }) {
  return (
    <div class="command">
      <pre tabIndex={0}>{text}</pre>
      <Copy text={text} />
    </div>
  );
}
