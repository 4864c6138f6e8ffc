/** Launching attention forward. */
import { empty, type Tensor } from '../../tensor/index.js';
import { part } from '../support.js';
import type { Segments } from './segments.js';
import { type AttentionOptions, attentionShape, bindableSpans, tileDefines } from './shapes.js';

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
  const { gpu, tokens, heads, kvHeads, dim, causal, scale, variant } = shape;
  const out = empty(gpu, [tokens, heads, dim]);
  const lse = empty(gpu, [tokens, heads]);
  const wide = variant === 'wide';
  const defines: Record<string, number> = wide
    ? { ROWS: dim <= 64 ? 2 : 1, KEYS: 2, D4: dim / 4 }
    : tileDefines(shape, 'forward');
  const size = wide ? 16 * defines.ROWS : 8 * defines.RT;
  for (const { first, count, segments: own } of bindableSpans(shape, segments)) {
    const rows = (tensor: Tensor, width: number) => part(tensor, first * width, count * width);
    const tiles = own.queryTiles(size);
    gpu.launch(
      wide ? 'attention/wide-forward' : 'attention/tile-forward',
      {
        q: rows(q, heads * dim),
        k: rows(k, kvHeads * dim),
        v: rows(v, kvHeads * dim),
        tiles: tiles.table,
        out: rows(out, heads * dim),
        lse: rows(lse, heads),
      },
      { heads, kvHeads, causal: Number(causal), scale },
      { groups: [tiles.count, heads], defines, flops: 4 * own.attended(causal) * heads * dim },
    );
  }
  return { out, lse };
}
