/** Attention backward for hardware GPUs without matrix units: two kernels that each recompute the scores. */
import { launchKeys } from './backward-keys.js';
import { bind, type Needs, type Operands } from './backward-operands.js';
import type { Span } from './segments.js';
import { type AttentionShape, tileDefines, windowConstants } from './shapes.js';

/** Queries that tile-backward-keys meets at a time. */
const BLOCK = 64;

/** Launches what is needed of a span. */
export function launchTiles(shape: AttentionShape, all: Operands, span: Span, needs: Needs): void {
  if (needs.kv) {
    const defines = tileDefines(shape, 'keys');
    launchKeys(shape, all, span, {
      shader: 'attention/tile-backward-keys',
      inputs: bind(all, span, 'q', 'k', 'v', 'gradOut', 'stats'),
      defines,
      size: 8 * defines.RT,
      block: BLOCK,
      align: 1,
      products: 4,
    });
  }
  if (needs.q) launchQueries(shape, all, span);
}

function launchQueries(shape: AttentionShape, all: Operands, span: Span): void {
  const { gpu, heads, kvHeads, dim, causal, window, scale } = shape;
  const defines = tileDefines(shape, 'queries');
  const tiles = span.segments.queryTiles(8 * defines.RT);
  gpu.launch(
    'attention/tile-backward-queries',
    { ...bind(all, span, 'q', 'k', 'v', 'gradOut', 'stats', 'dq'), tiles: tiles.table },
    { heads, kvHeads, causal: Number(causal), scale },
    {
      groups: [tiles.count, heads],
      defines,
      constants: windowConstants(window),
      flops: 6 * span.segments.attended(causal, window) * heads * dim,
    },
  );
}
