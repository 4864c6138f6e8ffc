/** What the server has done, as Prometheus reads it (text format 0.0.4). */

type Labels = Readonly<Record<string, string | number>>;

/** Upper bounds of the buckets of request times, in seconds. */
const BUCKETS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

/** Counts what happens; asks for what is. */
export class ServerMetrics {
  readonly #requests = new Map<number, number>();
  readonly #buckets = BUCKETS.map(() => 0);
  #seconds = 0;
  #timed = 0;
  #promptTokens = 0;
  #completionTokens = 0;

  /** A request that was answered with a status. */
  answered(status: number): void {
    this.#requests.set(status, (this.#requests.get(status) ?? 0) + 1);
  }

  /** A chat completion that was given in full. */
  completed(seconds: number, promptTokens: number, completionTokens: number): void {
    this.#seconds += seconds;
    this.#timed++;
    BUCKETS.forEach((bound, i) => {
      if (seconds <= bound) this.#buckets[i]++;
    });
    this.#promptTokens += promptTokens;
    this.#completionTokens += completionTokens;
  }

  /** The page of metrics; `gauges` are measured now, by name. */
  text(gauges: Readonly<Record<string, { readonly help: string; readonly value: number }>>): string {
    const lines: string[] = [];
    const metric = (
      name: string,
      type: string,
      help: string,
      samples: readonly [string, Labels, number][],
    ) => {
      lines.push(`# HELP osler_${name} ${help}`, `# TYPE osler_${name} ${type}`);
      for (const [suffix, labels, value] of samples)
        lines.push(`osler_${name}${suffix}${braced(labels)} ${value}`);
    };
    const statuses = [...this.#requests].sort(([a], [b]) => a - b);
    metric(
      'requests_total',
      'counter',
      'Requests answered, by HTTP status.',
      statuses.map(([status, count]) => ['', { status }, count]),
    );
    metric('prompt_tokens_total', 'counter', 'Tokens of prompts answered.', [['', {}, this.#promptTokens]]);
    metric('completion_tokens_total', 'counter', 'Tokens generated for answers.', [
      ['', {}, this.#completionTokens],
    ]);
    metric('request_seconds', 'histogram', 'Time from a chat request to the end of its answer.', [
      ...BUCKETS.map((le, i): [string, Labels, number] => ['_bucket', { le }, this.#buckets[i]]),
      ['_bucket', { le: '+Inf' }, this.#timed],
      ['_sum', {}, this.#seconds],
      ['_count', {}, this.#timed],
    ]);
    for (const [name, { help, value }] of Object.entries(gauges))
      metric(name, 'gauge', help, [['', {}, value]]);
    return `${lines.join('\n')}\n`;
  }
}

function braced(labels: Labels): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
  return pairs.length > 0 ? `{${pairs.join(',')}}` : '';
}
