/**
 * Work that is done again with other buffers: the layers of a stack launch the same kernels over tensors of the same shapes.
 * A template keeps what one of them allocated, launched and freed, and does it again for the next one without the checks,
 * lookups and bookkeeping by which the launches came about. Results are the same, and so is the memory, step by step.
 */
import type { Command } from './commands.js';
import type { BufferRange, Pipeline } from './pipelines.js';
import type { PoolBuffer, Purpose } from './pool.js';

/** A buffer: the i-th operand is 3 i, the i-th allocation 3 i + 1, any other that was used 3 i + 2. */
type Ref = number;
const [OPERAND, OWN, FIXED] = [0, 1, 2];

interface Span {
  readonly ref: Ref;
  readonly offset: number;
  readonly size: number;
}

type Step =
  | { readonly kind: 'allocate'; readonly bytes: number; readonly purpose: Purpose }
  | { readonly kind: 'release'; readonly ref: Ref }
  | { readonly kind: 'relabel'; readonly ref: Ref; readonly purpose: Purpose }
  | {
      readonly kind: 'dispatch';
      readonly pipeline: Pipeline;
      readonly spans: readonly Span[];
      readonly params: Uint32Array<ArrayBuffer>;
      readonly groups: readonly [number, number, number];
      readonly flops: number;
    }
  | { readonly kind: 'copy'; readonly spans: readonly Span[]; readonly size: number }
  | { readonly kind: 'clear'; readonly spans: readonly Span[] };

/** What a template needs of its device. */
export interface TemplateHost {
  allocate(bytes: number, purpose: Purpose): PoolBuffer;
  release(buffer: PoolBuffer): void;
  relabel(buffer: PoolBuffer, purpose: Purpose): void;
  copy(from: BufferRange, to: BufferRange, size: number): void;
  clear(range: BufferRange): void;
  dispatch(
    command: Pick<Extract<Command, { kind: 'dispatch' }>, 'pipeline' | 'params' | 'groups' | 'flops'>,
    ranges: readonly BufferRange[],
  ): void;
}

/** Work under way that becomes a {@link Template}. Made by `Gpu.capture`, which tells it what happens. */
export class Capture {
  readonly #steps: Step[] = [];
  readonly #operands = new Map<PoolBuffer, number>();
  readonly #own = new Map<PoolBuffer, number>();
  readonly #fixed = new Map<PoolBuffer, number>();
  #allocations = 0;
  #spoiled = false;

  /** `operands` are the buffers that others take the place of. */
  constructor(operands: readonly PoolBuffer[]) {
    operands.forEach((buffer, i) => {
      if (!this.#operands.has(buffer)) this.#operands.set(buffer, i);
    });
  }

  /** Something happened that cannot be done again, such as writing host data. */
  spoil(): void {
    this.#spoiled = true;
  }

  allocated(buffer: PoolBuffer, bytes: number, purpose: Purpose): void {
    this.#own.set(buffer, this.#allocations++);
    this.#steps.push({ kind: 'allocate', bytes, purpose });
  }

  released(buffer: PoolBuffer): void {
    // What was there before is given up once, and by others than those who come after.
    if (!this.#own.has(buffer)) this.spoil();
    this.#steps.push({ kind: 'release', ref: this.#ref(buffer) });
    this.#own.delete(buffer);
  }

  relabelled(buffer: PoolBuffer, purpose: Purpose): void {
    this.#steps.push({ kind: 'relabel', ref: this.#ref(buffer), purpose });
  }

  dispatched(command: Extract<Command, { kind: 'dispatch' }>, ranges: readonly BufferRange[]): void {
    const { pipeline, params, groups, flops } = command;
    this.#steps.push({
      kind: 'dispatch',
      pipeline,
      params,
      groups,
      flops,
      spans: ranges.map((r) => this.#span(r)),
    });
  }

  copied(from: BufferRange, to: BufferRange, size: number): void {
    this.#steps.push({ kind: 'copy', spans: [this.#span(from), this.#span(to)], size });
  }

  cleared(range: BufferRange): void {
    this.#steps.push({ kind: 'clear', spans: [this.#span(range)] });
  }

  /** The template, if the work can be done again and leaves nothing allocated but `results`. */
  finish(results: readonly (PoolBuffer | null)[]): Template | null {
    const left = new Set(results.filter((buffer) => buffer !== null));
    if (this.#spoiled || left.size !== this.#own.size) return null;
    const kept = results.map((buffer) => (buffer === null ? null : this.#own.get(buffer)));
    if (kept.includes(undefined)) return null;
    return new Template(this.#steps, [...this.#fixed.keys()], kept as (number | null)[]);
  }

  #ref(buffer: PoolBuffer): Ref {
    const own = this.#own.get(buffer);
    if (own !== undefined) return 3 * own + OWN;
    const operand = this.#operands.get(buffer);
    if (operand !== undefined) return 3 * operand + OPERAND;
    let fixed = this.#fixed.get(buffer);
    if (fixed === undefined) {
      fixed = this.#fixed.size;
      this.#fixed.set(buffer, fixed);
    }
    return 3 * fixed + FIXED;
  }

  #span({ buffer, offset, size }: BufferRange): Span {
    return { ref: this.#ref(buffer), offset, size };
  }
}

/** See above. */
export class Template {
  readonly #steps: readonly Step[];
  readonly #fixed: readonly PoolBuffer[];
  /** Allocations that are the results, in the order of the results. */
  readonly #kept: readonly (number | null)[];

  /** Made by {@link Capture.finish}. */
  constructor(steps: readonly Step[], fixed: readonly PoolBuffer[], kept: readonly (number | null)[]) {
    this.#steps = steps;
    this.#fixed = fixed;
    this.#kept = kept;
  }

  /** Whether another template does the same, over the same buffers where they are no operands. */
  equals(other: Template): boolean {
    return (
      sameList(this.#fixed, other.#fixed, Object.is) &&
      sameList(this.#kept, other.#kept, Object.is) &&
      sameList(this.#steps, other.#steps, sameStep)
    );
  }

  /**
   * @internal Does the work over other operands, for `Gpu.repeat`.
   *
   * @param result allocates the memory of the i-th result.
   */
  run(
    host: TemplateHost,
    operands: readonly PoolBuffer[],
    result: (i: number, bytes: number, purpose: Purpose) => PoolBuffer,
  ): void {
    const own: PoolBuffer[] = [];
    const lists = [operands, own, this.#fixed];
    const at = (ref: Ref) => lists[ref % 3][(ref / 3) | 0];
    const range = ({ ref, offset, size }: Span): BufferRange => ({ buffer: at(ref), offset, size });
    for (const step of this.#steps) {
      if (step.kind === 'dispatch') host.dispatch(step, step.spans.map(range));
      else if (step.kind === 'allocate') {
        const i = this.#kept.indexOf(own.length);
        own.push(i < 0 ? host.allocate(step.bytes, step.purpose) : result(i, step.bytes, step.purpose));
      } else if (step.kind === 'release') host.release(at(step.ref));
      else if (step.kind === 'relabel') host.relabel(at(step.ref), step.purpose);
      else if (step.kind === 'copy') host.copy(range(step.spans[0]), range(step.spans[1]), step.size);
      else host.clear(range(step.spans[0]));
    }
  }
}

function sameList<T>(a: readonly T[], b: readonly T[], same: (x: T, y: T) => boolean): boolean {
  return a.length === b.length && a.every((x, i) => same(x, b[i]));
}

function sameStep(a: Step, b: Step): boolean {
  const entries = Object.entries(a);
  const others = b as unknown as Readonly<Record<string, unknown>>;
  return entries.every(([name, value]) => {
    const other = others[name];
    if (name === 'spans') return sameList(value as Span[], other as Span[], sameSpan);
    if (name === 'params' || name === 'groups') return String(value) === String(other);
    return value === other;
  });
}

function sameSpan(a: Span, b: Span): boolean {
  return a.ref === b.ref && a.offset === b.offset && a.size === b.size;
}
