/**
 * Per-kernel timing with timestamp queries. Timestamps exist only at pass boundaries, so while a profile runs every
 * dispatch gets its own compute pass; otherwise dispatches share passes and nothing here costs anything.
 */
import { check } from './errors.js';

const QUERIES = 2048;

/** One kernel execution. */
export interface ProfileEvent {
  readonly kernel: string;
  readonly startNs: number;
  readonly durationNs: number;
  readonly groups: readonly [number, number, number];
}

interface Span {
  readonly kernel: string;
  readonly groups: readonly [number, number, number];
}

/** Collects timestamps of one device. */
export class Profiler {
  readonly #device: GPUDevice;
  #querySet: GPUQuerySet | null = null;
  #spans: Span[] = [];
  #pending: Promise<ProfileEvent[]>[] = [];
  active = false;

  /** Does nothing until `start`. */
  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** True where the adapter can time kernels. */
  get available(): boolean {
    return this.#device.features.has('timestamp-query');
  }

  /** True when no more dispatches fit before the next `resolve`. */
  get full(): boolean {
    return this.#spans.length * 2 >= QUERIES;
  }

  /** Begins to time every dispatch. */
  start(): void {
    check(this.available, 'adapter', () => 'this adapter has no timestamp-query; kernels cannot be profiled');
    this.#querySet ??= this.#device.createQuerySet({ type: 'timestamp', count: QUERIES });
    this.#spans = [];
    this.#pending = [];
    this.active = true;
  }

  /** The timestamp writes for the pass of one dispatch. */
  span(kernel: string, groups: readonly [number, number, number]): GPUComputePassTimestampWrites {
    const first = this.#spans.push({ kernel, groups }) * 2 - 2;
    return {
      querySet: this.#querySet as GPUQuerySet,
      beginningOfPassWriteIndex: first,
      endOfPassWriteIndex: first + 1,
    };
  }

  /** Appends the copy of all timestamps to a batch; returns what to call after its submit. */
  resolve(encoder: GPUCommandEncoder): () => void {
    const spans = this.#spans;
    if (spans.length === 0) return () => {};
    this.#spans = [];
    const size = spans.length * 16;
    const resolved = this.#device.createBuffer({
      size,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    });
    const readable = this.#device.createBuffer({
      size,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    encoder.resolveQuerySet(this.#querySet as GPUQuerySet, 0, spans.length * 2, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, readable, 0, size);
    return () => {
      const events = readEvents(spans, resolved, readable);
      // Who stops the profile is told; nobody may ever do so.
      events.catch(() => {});
      this.#pending.push(events);
    };
  }

  /** Ends the profile; the caller has flushed and must wait for the device alongside. */
  async stop(): Promise<ProfileEvent[]> {
    this.active = false;
    const events = (await Promise.all(this.#pending)).flat();
    this.#pending = [];
    return events;
  }
}

async function readEvents(spans: Span[], resolved: GPUBuffer, readable: GPUBuffer): Promise<ProfileEvent[]> {
  await readable.mapAsync(GPUMapMode.READ);
  const times = new BigUint64Array(readable.getMappedRange());
  const events = spans.map((span, i) => ({
    ...span,
    startNs: Number(times[2 * i]),
    durationNs: Number(times[2 * i + 1] - times[2 * i]),
  }));
  readable.unmap();
  readable.destroy();
  resolved.destroy();
  return events;
}

/** Renders events in the Chrome trace format (chrome://tracing, ui.perfetto.dev). */
export function chromeTrace(events: readonly ProfileEvent[], processName: string): string {
  const origin = Math.min(...events.map((e) => e.startNs));
  const traceEvents: object[] = [
    { ph: 'M', pid: 1, name: 'process_name', args: { name: processName } },
    { ph: 'M', pid: 1, tid: 1, name: 'thread_name', args: { name: 'GPU queue' } },
    ...events.map((e) => ({
      ph: 'X',
      pid: 1,
      tid: 1,
      name: e.kernel,
      cat: e.kernel.split('/')[0],
      ts: (e.startNs - origin) / 1000,
      dur: e.durationNs / 1000,
      args: { workgroups: e.groups.join('x') },
    })),
  ];
  return JSON.stringify({ displayTimeUnit: 'ms', traceEvents });
}

/** Sums events by kernel, slowest first. */
export function summarise(
  events: readonly ProfileEvent[],
): { kernel: string; count: number; totalMs: number }[] {
  const rows = new Map<string, { kernel: string; count: number; totalMs: number }>();
  for (const e of events) {
    const row = rows.get(e.kernel) ?? { kernel: e.kernel, count: 0, totalMs: 0 };
    row.count++;
    row.totalMs += e.durationNs / 1e6;
    rows.set(e.kernel, row);
  }
  return [...rows.values()].sort((a, b) => b.totalMs - a.totalMs);
}
