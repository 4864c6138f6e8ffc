/** Attention backward on matrix units: two kernels that each recompute the scores, from operands in f16. */
import { launchKeys } from './backward-keys.js';
import { bind, type Needs, type Operands } from './backward-operands.js';
import { type Block, magnitudes, matrixDefines, pack, packedDims, packedTokens } from './matrix.js';
import type { Span } from './segments.js';
import { type AttentionShape, windowConstants } from './shapes.js';

/** Rows that workgroups own and meet at a time: what fits 28 KB of workgroup memory, and registers. */
const QUERIES: Block = { own: 64, seen: 32 };
const KEYS: Block = { own: 32, seen: 64 };
/** Heads of over 128 leave registers for fewer scores. */
const WIDE_KEYS: Block = { own: 32, seen: 32 };

/** Launches what is needed of a span. */
export function launchMatrix(shape: AttentionShape, all: Operands, span: Span, needs: Needs): void {
  const { gpu, heads, kvHeads, dim, causal, window, scale } = shape;
  const { count: tokens, segments } = span;
  const { q, k, v, gradOut, stats } = bind(all, span, 'q', 'k', 'v', 'gradOut', 'stats');
  const sources = { q, k, v, gradOut };
  const largest = magnitudes(gpu, sources);
  const ofQueries = { heads, tokens, dim, ...(needs.kv && { columns: 1 as const }) };
  const ofKeys = { heads: kvHeads, tokens, dim };
  const queries = pack(gpu, sources, largest, {
    ...ofQueries,
    which: 'q',
    rows: 2,
    carries: true,
    other: 'gradOut',
  });
  const outs = pack(gpu, sources, largest, { ...ofQueries, which: 'gradOut', rows: 2 });
  const keys = pack(gpu, sources, largest, {
    ...ofKeys,
    which: 'k',
    rows: 2,
    carries: true,
    other: 'v',
    ...(needs.q && { columns: 1 as const }),
  });
  const values = pack(gpu, sources, largest, { ...ofKeys, which: 'v', rows: 2 });
  const inputs = { q: queries.rows, k: keys.rows, v: values.rows, gradOut: outs.rows, stats, largest };
  const shift = { SHIFT: 16 + Math.ceil(Math.log2(packedDims(dim).DP)) };
  const params = { padded: packedTokens(tokens), tokens };
  if (needs.kv) {
    const defines = {
      ...matrixDefines(gpu, dim, dim > 128 ? WIDE_KEYS : KEYS),
      ...shift,
      WINDOWED: window > 0,
    };
    launchKeys(shape, all, span, {
      shader: 'attention/matrix-backward-keys',
      inputs: { ...inputs, columnsQ: queries.columns, columnsOut: outs.columns },
      params,
      defines,
      size: defines.OWN,
      block: defines.SEEN,
      align: 8,
      products: 8,
    });
  }
  if (needs.q) {
    const defines = { ...matrixDefines(gpu, dim, QUERIES), ...shift, WINDOWED: window > 0 };
    const tiles = segments.queryTiles(defines.OWN);
    gpu.launch(
      'attention/matrix-backward-queries',
      { ...inputs, columnsK: keys.columns, tiles: tiles.table, ...bind(all, span, 'dq') },
      { heads, kvHeads, causal: Number(causal), scale, tiles: tiles.count, firstKvHead: 0, ...params },
      {
        groups: [tiles.count, heads],
        defines,
        constants: windowConstants(window),
        flops: 14 * segments.attended(causal, window) * heads * dim,
      },
    );
  }
  for (const scratch of [largest, queries, outs, keys, values]) scratch.dispose();
}
