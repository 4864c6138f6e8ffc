/** Gradients of keys and values, by kernels that take parts of tiles of keys. */
import type { Bindable, Defines } from '../../gpu/index.js';
import { empty } from '../../tensor/index.js';
import { bind, type Operands, SCRATCH_BYTES } from './backward-operands.js';
import type { Span } from './segments.js';
import { type AttentionShape, windowConstants } from './shapes.js';

/** A kernel that computes them: keys of a tile, queries that it meets at a time, and products per query and key. */
export interface KeyKernel {
  readonly shader: string;
  readonly inputs: Readonly<Record<string, Bindable>>;
  readonly params?: Readonly<Record<string, number>>;
  readonly defines: Defines;
  readonly size: number;
  readonly block: number;
  /** Blocks begin at multiples of so many queries. */
  readonly align: number;
  readonly products: number;
}

/** Keys in parts of about the same work, as many heads at a time as there is room for sums of parts. */
export function launchKeys(
  shape: AttentionShape,
  all: Operands,
  span: Span,
  { shader, inputs, params, defines, size, block, align, products }: KeyKernel,
): void {
  const { gpu, heads, kvHeads, dim, causal, window, scale } = shape;
  const { segments } = span;
  const slotSize = 2 * size * dim;
  const mostSlots = Math.floor(Math.min(SCRATCH_BYTES, gpu.maxBindingBytes) / (4 * slotSize));
  const tiles = segments.keyParts(size, { block, align, mostSlots, causal, window });
  const slots = Math.max(1, tiles.slots);
  const headsAtOnce = Math.min(kvHeads, Math.max(1, Math.floor(mostSlots / slots)));
  const sums = empty(gpu, [slots * headsAtOnce * slotSize], { purpose: 'scratch' });
  const outputs = bind(all, span, 'dk', 'dv');
  for (let firstKvHead = 0; firstKvHead < kvHeads; firstKvHead += headsAtOnce) {
    const portion = Math.min(headsAtOnce, kvHeads - firstKvHead);
    gpu.launch(
      shader,
      { ...inputs, ...outputs, table: tiles.table, sums },
      { heads, kvHeads, causal: Number(causal), scale, tiles: tiles.count, firstKvHead, ...params },
      {
        groups: [tiles.count, portion],
        defines,
        constants: windowConstants(window),
        flops: 2 * products * segments.attended(causal, window) * (heads / kvHeads) * portion * dim,
      },
    );
    if (tiles.slots === 0) continue;
    gpu.launch(
      'attention/key-sums',
      { sums, cut: tiles.cut.table, ...outputs },
      { kvHeads, firstKvHead },
      { groups: [tiles.cut.count, portion], defines: { D4: dim / 4, OWN: size } },
    );
  }
  sums.dispose();
}
