/** Launching attention backward. */
import { check } from '../../gpu/index.js';
import { empty, type Tensor } from '../../tensor/index.js';
import { ceilDiv, checkDevice, checkDtype, checkShapeIs, fold, part } from '../support.js';
import type { AttentionResult } from './forward.js';
import type { Segments, Span } from './segments.js';
import {
  type AttentionOptions,
  type AttentionShape,
  attentionShape,
  bindableSpans,
  tileDefines,
} from './shapes.js';

/** Options of {@link attentionBackward}. */
export interface AttentionBackwardOptions extends AttentionOptions {
  /** Which gradients are wanted; all by default. Keys and values share a kernel. */
  readonly needs?: { readonly q: boolean; readonly kv: boolean };
  /** Most bytes of score gradients that the `wide` variant holds at a time. */
  readonly scratchBytes?: number;
}

/** Gradients of attention; null where not asked for. */
export interface AttentionGradients {
  readonly dq: Tensor | null;
  readonly dk: Tensor | null;
  readonly dv: Tensor | null;
}

interface Operands extends AttentionResult {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
  readonly gradOut: Tensor;
  readonly stats: Tensor;
  readonly dq: Tensor;
  readonly dk: Tensor;
  readonly dv: Tensor;
}

const SCRATCH_BYTES = 64 << 20;

/** Gradients of {@link attentionForward}: of its inputs, from the gradient of `out` and what it returned. */
export function attentionBackward(
  gradOut: Tensor,
  q: Tensor,
  k: Tensor,
  v: Tensor,
  { out, lse }: AttentionResult,
  segments: Segments,
  options: AttentionBackwardOptions = {},
): AttentionGradients {
  const op = 'attention backward';
  const shape = attentionShape(op, q, k, v, segments, options);
  const { gpu, tokens, heads, variant } = shape;
  checkDevice(op, q, gradOut, out, lse);
  checkShapeIs(op, 'gradOut', gradOut, q.shape);
  checkDtype(op, 'gradOut', gradOut, 'f32');
  checkShapeIs(op, 'out', out, q.shape);
  checkShapeIs(op, 'lse', lse, [tokens, heads]);
  const { needs = { q: true, kv: true }, scratchBytes = SCRATCH_BYTES } = options;
  const stats = empty(gpu, [tokens, heads, 2], { purpose: 'scratch' });
  const [dq, dk, dv] = [q, k, v].map((t) => empty(gpu, t.shape));
  const all = { q, k, v, gradOut, out, lse, stats, dq, dk, dv };
  for (const span of bindableSpans(shape, segments)) {
    launchStats(shape, all, span);
    if (variant === 'wide') launchWide(shape, all, span, scratchBytes, needs.q);
    else launchTiles(shape, all, span, needs);
  }
  stats.dispose();
  const unwanted = [...(needs.q ? [] : [dq]), ...(needs.kv ? [] : [dk, dv])];
  for (const tensor of unwanted) tensor.dispose();
  return { dq: needs.q ? dq : null, dk: needs.kv ? dk : null, dv: needs.kv ? dv : null };
}

/** The rows of a span of any [T, ...] tensor. */
function rowsOf(tensor: Tensor, { first, count }: Span) {
  const width = tensor.size / tensor.shape[0];
  return part(tensor, first * width, count * width);
}

function bind<K extends keyof Operands>(operands: Operands, span: Span, ...names: readonly K[]) {
  return Object.fromEntries(names.map((name) => [name, rowsOf(operands[name], span)]));
}

function launchStats({ gpu, heads, dim }: AttentionShape, all: Operands, span: Span): void {
  const rows = span.count * heads;
  gpu.launch(
    'attention/stats',
    bind(all, span, 'out', 'gradOut', 'lse', 'stats'),
    { rows },
    { groups: fold(gpu, ceilDiv(rows, 64)), defines: { D4: dim / 4 }, constants: { WORKGROUP: 64 } },
  );
}

/** Two kernels that each recompute the scores. */
function launchTiles(
  shape: AttentionShape,
  all: Operands,
  span: Span,
  needs: { readonly q: boolean; readonly kv: boolean },
): void {
  const { gpu, heads, kvHeads, scale, dim } = shape;
  // Of one product of queries and keys; there are four in one kernel and three in the other.
  const flops = 2 * span.segments.attended(shape.causal) * heads * dim;
  const defines = tileDefines(shape, 4, 'attention backward');
  const params = { heads, kvHeads, causal: Number(shape.causal), scale };
  const size = 8 * defines.RT;
  const inputs = bind(all, span, 'q', 'k', 'v', 'gradOut', 'stats');
  if (needs.kv) {
    const tiles = span.segments.keyTiles(size);
    gpu.launch(
      'attention/tile-backward-keys',
      { ...inputs, ...bind(all, span, 'dk', 'dv'), table: tiles.table },
      { ...params, tiles: tiles.count },
      { groups: [tiles.count, kvHeads], defines, flops: 4 * flops },
    );
  }
  if (needs.q) {
    const tiles = span.segments.queryTiles(size);
    gpu.launch(
      'attention/tile-backward-queries',
      { ...inputs, ...bind(all, span, 'dq'), tiles: tiles.table },
      params,
      { groups: [tiles.count, heads], defines, flops: 3 * flops },
    );
  }
}

/**
 * One kernel computes dk, dv and the gradients of the scores, another turns these into dq: a third less arithmetic than
 * recomputing. Heads and then rows are taken in portions, so that the score gradients fit a bounded scratch.
 */
function launchWide(
  shape: AttentionShape,
  all: Operands,
  span: Span,
  scratchBytes: number,
  needsQ: boolean,
): void {
  const { gpu, heads, kvHeads, dim, scale } = shape;
  const { count, segments } = span;
  const width = segments.widest;
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
  const D4 = dim / 4;
  const keyTiles = segments.keyTiles(16 * keyRows);
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
        { groups: [keyTiles.count, portion], defines: { ROWS: keyRows, QUERIES: dim <= 32 ? 2 : 1, D4 } },
      );
      if (!needsQ) continue;
      gpu.launch(
        'attention/wide-backward-queries',
        { k: inputs.k, ds, tiles: queryTiles.table, dq },
        { ...params, firstHead: firstKvHead * sharing, firstRow, endRow },
        { groups: [queryTiles.count, portion * sharing], defines: { ROWS: queryRows, KEYS: 4, D4 } },
      );
    }
  }
  ds.dispose();
}
