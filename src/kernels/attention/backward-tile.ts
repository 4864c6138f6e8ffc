/** Attention backward for hardware GPUs without matrix units: two kernels that each recompute the scores. */
import { empty } from '../../tensor/index.js';
import { bind, type Needs, type Operands, SCRATCH_BYTES } from './backward-operands.js';
import type { Span } from './segments.js';
import { type AttentionShape, tileDefines } from './shapes.js';

/** Queries that tile-backward-keys meets at a time. */
const BLOCK = 64;

/** Launches what is needed of a span. */
export function launchTiles(shape: AttentionShape, all: Operands, span: Span, needs: Needs): void {
  if (needs.kv) launchKeys(shape, all, span);
  if (needs.q) launchQueries(shape, all, span);
}

function launchQueries(shape: AttentionShape, all: Operands, span: Span): void {
  const { gpu, heads, kvHeads, dim, causal, scale } = shape;
  const defines = tileDefines(shape, 'queries');
  const tiles = span.segments.queryTiles(8 * defines.RT);
  gpu.launch(
    'attention/tile-backward-queries',
    { ...bind(all, span, 'q', 'k', 'v', 'gradOut', 'stats', 'dq'), tiles: tiles.table },
    { heads, kvHeads, causal: Number(causal), scale },
    { groups: [tiles.count, heads], defines, flops: 6 * span.segments.attended(causal) * heads * dim },
  );
}

/** Keys in parts of about the same work, as many heads at a time as there is room for sums of parts. */
function launchKeys(shape: AttentionShape, all: Operands, span: Span): void {
  const { gpu, heads, kvHeads, dim, causal, scale } = shape;
  const { segments } = span;
  const defines = tileDefines(shape, 'keys');
  const size = 8 * defines.RT;
  const slotSize = 2 * size * dim;
  const mostSlots = Math.floor(Math.min(SCRATCH_BYTES, gpu.maxBindingBytes) / (4 * slotSize));
  const tiles = segments.keyParts(size, { block: BLOCK, mostSlots, causal });
  const slots = Math.max(1, tiles.slots);
  const headsAtOnce = Math.min(kvHeads, Math.max(1, Math.floor(mostSlots / slots)));
  const sums = empty(gpu, [slots * headsAtOnce * slotSize], { purpose: 'scratch' });
  const inputs = bind(all, span, 'q', 'k', 'v', 'gradOut', 'stats');
  const outputs = bind(all, span, 'dk', 'dv');
  for (let firstKvHead = 0; firstKvHead < kvHeads; firstKvHead += headsAtOnce) {
    const portion = Math.min(headsAtOnce, kvHeads - firstKvHead);
    gpu.launch(
      'attention/tile-backward-keys',
      { ...inputs, ...outputs, table: tiles.table, sums },
      { heads, kvHeads, causal: Number(causal), scale, tiles: tiles.count, firstKvHead },
      {
        groups: [tiles.count, portion],
        defines,
        flops: 8 * segments.attended(causal) * (heads / kvHeads) * portion * dim,
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
