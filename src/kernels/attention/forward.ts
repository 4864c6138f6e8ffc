/** Launching attention forward. */
import type { Bindable, Defines } from '../../gpu/index.js';
import { empty, type Tensor } from '../../tensor/index.js';
import { part } from '../support.js';
import { magnitudes, matrixDefines, pack, packedTokens, type Sources } from './matrix.js';
import type { Segments, Span } from './segments.js';
import {
  type AttentionOptions,
  type AttentionShape,
  attentionShape,
  bindableSpans,
  tileDefines,
  windowConstants,
} from './shapes.js';

/** What attention computes. */
export interface AttentionResult {
  /** [T, H, D]. */
  readonly out: Tensor;
  /** [T, H]: natural logarithm of the sum of exponentials of a row's scores; about -3e38 for padding. */
  readonly lse: Tensor;
}

/**
 * softmax(scale q k^T) v for packed sequences: q [T, H, D], k and v [T, Hkv, D], all f32, H a multiple of Hkv, D a multiple
 * of 4 up to 256. Segments say who sees whom; work is proportional to that.
 *
 * As in any implementation that multiplies masked probabilities (zero) with values, a NaN or infinity in v may spread to
 * rows of the same segment that do not attend to it; other segments are safe.
 */
export function attentionForward(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  segments: Segments,
  options: AttentionOptions = {},
): AttentionResult {
  const shape = attentionShape('attention', q, k, v, segments, options);
  const { gpu, tokens, heads, kvHeads, dim, causal, window, scale, variant } = shape;
  const out = empty(gpu, [tokens, heads, dim]);
  const lse = empty(gpu, [tokens, heads]);
  const params = { heads, kvHeads, causal: Number(causal), scale };
  for (const span of bindableSpans(shape, segments)) {
    const rows = (tensor: Tensor, width: number) => part(tensor, span.first * width, span.count * width);
    const inputs = { q: rows(q, heads * dim), k: rows(k, kvHeads * dim), v: rows(v, kvHeads * dim) };
    const outputs = { out: rows(out, heads * dim), lse: rows(lse, heads) };
    const flops = 4 * span.segments.attended(causal, window) * heads * dim;
    if (variant === 'matrix') {
      launchMatrix(shape, span, inputs, outputs, params, flops);
      continue;
    }
    const { shader, defines, rows: own } = variant === 'wide' ? wideKernel(shape) : tileKernel(shape);
    const tiles = span.segments.queryTiles(own);
    gpu.launch(shader, { ...inputs, tiles: tiles.table, ...outputs }, params, {
      groups: [tiles.count, heads],
      defines,
      constants: windowConstants(window),
      flops,
    });
  }
  return { out, lse };
}

/** A kernel without matrix units, and the rows of its tiles. */
interface VectorKernel {
  readonly shader: string;
  readonly defines: Defines;
  readonly rows: number;
}

function wideKernel({ dim, window }: AttentionShape): VectorKernel {
  const ROWS = dim <= 64 ? 2 : 1;
  const defines = { ROWS, KEYS: 2, D4: dim / 4, WINDOWED: window > 0 };
  return { shader: 'attention/wide-forward', defines, rows: 16 * ROWS };
}

function tileKernel(shape: AttentionShape): VectorKernel {
  const defines = tileDefines(shape, 'forward');
  return { shader: 'attention/tile-forward', defines, rows: 8 * defines.RT };
}

/** Rows that a workgroup owns, and keys that it meets at a time: what fits 24 KB of workgroup memory. */
const BLOCK = { own: 64, seen: 32 } as const;

function launchMatrix(
  { gpu, heads, kvHeads, dim, window }: AttentionShape,
  { count: tokens, segments }: Span,
  inputs: Sources,
  outputs: Record<string, Bindable>,
  params: Record<string, number>,
  flops: number,
): void {
  const largest = magnitudes(gpu, inputs);
  const queries = pack(gpu, inputs, largest, { which: 'q', heads, tokens, dim, rows: 2, carries: true });
  const of = { heads: kvHeads, tokens, dim };
  const keys = pack(gpu, inputs, largest, { which: 'k', ...of, rows: 2, carries: true, other: 'v' });
  const values = pack(gpu, inputs, largest, { which: 'v', ...of, columns: 2 });
  const defines = { ...matrixDefines(gpu, dim, BLOCK), WINDOWED: window > 0 };
  const tiles = segments.queryTiles(defines.OWN);
  gpu.launch(
    'attention/matrix-forward',
    { q: queries.rows, k: keys.rows, v: values.columns, largest, tiles: tiles.table, ...outputs },
    { ...params, padded: packedTokens(tokens) },
    // Upper times upper, upper times lower and lower times upper parts.
    { groups: [tiles.count, heads], defines, constants: windowConstants(window), flops: 3 * flops },
  );
  for (const scratch of [largest, queries, keys, values]) scratch.dispose();
}
