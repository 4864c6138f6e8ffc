/** Attention backward for software adapters. */
import { check } from '../../gpu/index.js';
import { empty } from '../../tensor/index.js';
import { bind, type Operands } from './backward-operands.js';
import type { Span } from './segments.js';
import { type AttentionShape, windowConstants } from './shapes.js';

/**
 * One kernel computes dk, dv and the gradients of the scores, another turns these into dq: a third less arithmetic than
 * recomputing. Heads and then rows are taken in portions, so that the score gradients fit a bounded scratch.
 */
export function launchWide(
  shape: AttentionShape,
  all: Operands,
  span: Span,
  scratchBytes: number,
  needsQ: boolean,
): void {
  const { gpu, heads, kvHeads, dim, scale, window } = shape;
  const { count, segments } = span;
  const width = segments.widest(shape.causal, window);
  const sharing = heads / kvHeads;
  const rowBytes = 4 * width * sharing;
  const budget = Math.min(scratchBytes, gpu.maxBindingBytes);
  check(rowBytes <= budget, 'limit', () => {
    return `attention backward: one row's score gradients of ${rowBytes} bytes exceed what can be bound; use shorter sequences`;
  });
  const headsAtOnce = Math.min(kvHeads, Math.max(1, Math.floor(budget / (rowBytes * count))));
  const rowsAtOnce = Math.min(count, Math.floor(budget / (rowBytes * headsAtOnce)));
  // Keys keep four vectors of D numbers per row of lanes, queries one.
  const keyRows = dim <= 64 ? 2 : 1;
  const queryRows = 2;
  const common = { D4: dim / 4, WINDOWED: window > 0 };
  const constants = windowConstants(window);
  const keyTiles = segments.keyTiles(16 * keyRows, window);
  const queryTiles = segments.queryTiles(16 * queryRows);
  const params = { heads, kvHeads, causal: Number(shape.causal), scale, width };
  const inputs = bind(all, span, 'q', 'k', 'v', 'gradOut', 'stats', 'dk', 'dv');
  const { dq } = bind(all, span, 'dq');
  const ds = empty(gpu, [headsAtOnce * sharing * rowsAtOnce * width], { purpose: 'scratch' });
  for (let firstKvHead = 0; firstKvHead < kvHeads; firstKvHead += headsAtOnce) {
    const portion = Math.min(headsAtOnce, kvHeads - firstKvHead);
    for (let firstRow = 0; firstRow < count; firstRow += rowsAtOnce) {
      const endRow = Math.min(firstRow + rowsAtOnce, count);
      gpu.launch(
        'attention/wide-backward-keys',
        { ...inputs, table: keyTiles.table, ds },
        { ...params, tiles: keyTiles.count, firstKvHead, firstRow, endRow },
        {
          groups: [keyTiles.count, portion],
          defines: { ROWS: keyRows, QUERIES: dim <= 32 ? 2 : 1, ...common },
          constants,
        },
      );
      if (!needsQ) continue;
      gpu.launch(
        'attention/wide-backward-queries',
        { k: inputs.k, ds, tiles: queryTiles.table, dq },
        { ...params, firstHead: firstKvHead * sharing, firstRow, endRow },
        {
          groups: [queryTiles.count, portion * sharing],
          defines: { ROWS: queryRows, KEYS: 4, ...common },
          constants,
        },
      );
    }
  }
  ds.dispose();
}
