/** A device that executes nothing and keeps a list of what it was asked to launch. */
import {
  type Bindable,
  type BufferRange,
  type Defines,
  type LaunchOptions,
  Rehearsal,
} from '#osler/gpu/index.js';

/** All launches of one pipeline in one part of the work. */
export interface Use {
  readonly part: string;
  launches: number;
  /** Arithmetic, where the launch says how much it is. */
  flops: number;
  /** Bytes of all that was bound. */
  boundBytes: number;
  /** Bytes that had to move: less than is bound where rows are picked out of a table. */
  movedBytes: number;
}

/** A pipeline, and what it was used for. */
export interface RecordedPipeline {
  /** The shader, and what it is specialised by. */
  readonly name: string;
  readonly path: string;
  readonly options: Pick<LaunchOptions, 'defines' | 'constants'>;
  readonly uses: Use[];
}

/** Kernels that touch a few rows of some of their buffers. */
const PICKS: Readonly<Record<string, RegExp>> = {
  'embedding/gather': /^table/,
  'attention/cache-append': /Cache$/,
  'attention/rotate-append': /Cache$/,
};

/** See above. Whatever is read from it is zeros. */
export class Recorder extends Rehearsal {
  /** Where launches are counted from now on; null for nowhere. */
  part: string | null = null;
  readonly #pipelines = new Map<string, RecordedPipeline>();

  /** What was launched, in the order of first launches. */
  get pipelines(): readonly RecordedPipeline[] {
    return [...this.#pipelines.values()];
  }

  /** Launches, arithmetic and bytes of one part. */
  total(part: string): Omit<Use, 'part'> {
    const sum = { launches: 0, flops: 0, boundBytes: 0, movedBytes: 0 };
    for (const { uses } of this.#pipelines.values()) {
      for (const use of uses) {
        if (use.part !== part) continue;
        sum.launches += use.launches;
        sum.flops += use.flops;
        sum.boundBytes += use.boundBytes;
        sum.movedBytes += use.movedBytes;
      }
    }
    return sum;
  }

  override launch(
    path: string,
    bindings: Readonly<Record<string, Bindable>>,
    _params: Readonly<Record<string, number>>,
    { defines = {}, constants = {}, flops = 0 }: LaunchOptions,
  ): void {
    if (this.part === null) return;
    const name = pipelineName(path, defines, constants);
    let pipeline = this.#pipelines.get(name);
    if (!pipeline) {
      pipeline = { name, path, options: { defines, constants }, uses: [] };
      this.#pipelines.set(name, pipeline);
    }
    let use = pipeline.uses.find(({ part }) => part === this.part);
    if (!use) {
      use = { part: this.part, launches: 0, flops: 0, boundBytes: 0, movedBytes: 0 };
      pipeline.uses.push(use);
    }
    const sizes = Object.entries(bindings).map(([binding, { range }]) => [binding, range.size] as const);
    const bound = sizes.reduce((sum, [, size]) => sum + size, 0);
    const table = sizes.reduce((sum, [binding, size]) => sum + (PICKS[path]?.test(binding) ? size : 0), 0);
    use.launches++;
    use.flops += flops;
    use.boundBytes += bound;
    // Of the table as much as of the rest.
    use.movedBytes += table > 0 ? Math.min(bound, 2 * (bound - table)) : bound;
  }

  override async read(range: BufferRange): Promise<ArrayBuffer> {
    return new ArrayBuffer(range.size);
  }
}

/** A pipeline in words: the shader and what is switched on. Switches that are off are as good as not there. */
export function pipelineName(
  path: string,
  defines: Defines,
  constants: Readonly<Record<string, number>>,
): string {
  const words = Object.entries({ ...defines, ...constants })
    .filter(([, value]) => value !== false && value !== 'none')
    .map(([name, value]) => (value === true ? name : `${name}=${value}`));
  return [path, ...words.sort()].join(' ');
}
