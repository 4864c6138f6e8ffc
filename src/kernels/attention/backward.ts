/** Launching attention backward. */
import { empty, type Tensor } from '../../tensor/index.js';
import { ceilDiv, checkDevice, checkDtype, checkShapeIs, fold } from '../support.js';
import { launchMatrix } from './backward-matrix.js';
import { bind, type Needs, type Operands, SCRATCH_BYTES } from './backward-operands.js';
import { launchTiles } from './backward-tile.js';
import { launchWide } from './backward-wide.js';
import type { AttentionResult } from './forward.js';
import type { Segments, Span } from './segments.js';
import { type AttentionOptions, type AttentionShape, attentionShape, bindableSpans } from './shapes.js';

/** Options of {@link attentionBackward}. */
export interface AttentionBackwardOptions extends AttentionOptions {
  /** Which gradients are wanted; all by default. Keys and values share a kernel. */
  readonly needs?: Needs;
  /** Most bytes of score gradients that the `wide` variant holds at a time. */
  readonly scratchBytes?: number;
}

/** Gradients of attention; null where not asked for. */
export interface AttentionGradients {
  readonly dq: Tensor | null;
  readonly dk: Tensor | null;
  readonly dv: Tensor | null;
}

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
    else if (variant === 'matrix') launchMatrix(shape, all, span, needs);
    else launchTiles(shape, all, span, needs);
  }
  stats.dispose();
  const unwanted = [...(needs.q ? [] : [dq]), ...(needs.kv ? [] : [dk, dv])];
  for (const tensor of unwanted) tensor.dispose();
  return { dq: needs.q ? dq : null, dk: needs.kv ? dk : null, dv: needs.kv ? dv : null };
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
