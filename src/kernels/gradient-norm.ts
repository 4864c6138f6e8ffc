/** The global gradient norm, the clip factor and the detection of non-finite gradients, without reading anything back. */
import { check, type Gpu } from '../gpu/index.js';
import { empty, type Tensor } from '../tensor/index.js';
import { ceilDiv, checkDevice, checkDtype, part, windows } from './support.js';

const WORKGROUP = 64;
/** Gradients that one launch of the norm reads; with the partial sums that makes the eight bindings every adapter has. */
const NORM_TENSORS = 7;
/** Invocations that the norm aims for; more work per invocation keeps the list of partial sums short. */
const NORM_INVOCATIONS = 1 << 16;

/** Options of {@link gradientNorm}. */
export interface NormOptions {
  /** Factor to put on the gradients before anything else, such as 1 / accumulated micro-batches; 1 by default. */
  readonly gradScale?: number;
  /** Clip so that the norm does not exceed this; no clipping by default. */
  readonly maxNorm?: number;
}

/**
 * The global L2 norm of a list of f32 gradients, as data for `adamw` and `sgd`: f32 [3] holding the norm of the scaled
 * gradients, the factor to put on each gradient (PyTorch's clip_grad_norm_ rule), and 1 if anything was not finite, else 0.
 */
export function gradientNorm(gradients: readonly Tensor[], options: NormOptions = {}): Tensor {
  const op = 'gradientNorm';
  const { gradScale = 1, maxNorm } = options;
  check(gradients.length > 0, 'value', () => `${op}: the list of gradients is empty`);
  check(Number.isFinite(gradScale) && gradScale !== 0, 'value', () => `${op}: gradScale is ${gradScale}`);
  check(maxNorm === undefined || maxNorm > 0, 'value', () => {
    return `${op}: maxNorm is ${maxNorm}; give a positive number, or nothing for no clipping`;
  });
  const gpu = checkDevice(op, ...gradients);
  for (const g of gradients) checkDtype(op, 'gradient', g, 'f32');

  const total = gradients.reduce((n, g) => n + g.size, 0);
  const perLane = Math.max(16, ceilDiv(ceilDiv(total, NORM_INVOCATIONS), 8) * 8);
  const launches = planNorm(gpu, gradients, perLane);
  const count = launches.reduce((n, l) => n + l.blocks * l.pieces.length * WORKGROUP, 0);
  const partials = empty(gpu, [count], { dtype: 'u32', purpose: 'scratch' });
  let base = 0;
  for (const { pieces, blocks, slots } of launches) {
    const bindings: Record<string, ReturnType<typeof part> | Tensor> = { partials };
    const params: Record<string, number> = { base, perLane };
    for (let i = 0; i < slots; i++) {
      const piece = pieces[i] ?? pieces[0];
      bindings[`g${i}`] = part(piece.tensor, piece.first, piece.count);
      params[`size${i}`] = piece.count;
    }
    gpu.launch('optimizer/sum-squares', bindings, params, {
      groups: [blocks, pieces.length],
      defines: { TENSORS: slots },
      constants: { WORKGROUP },
    });
    base += blocks * pieces.length * WORKGROUP;
  }
  const control = empty(gpu, [3], { purpose: 'optimizer' });
  gpu.launch(
    'optimizer/norm',
    { partials, control },
    { count, gradScale, maxNorm: maxNorm ?? 0 },
    { groups: [1], constants: { WORKGROUP: gpu.info.software ? 16 : 256 } },
  );
  partials.dispose();
  return control;
}

interface Piece {
  readonly tensor: Tensor;
  readonly first: number;
  readonly count: number;
}

/** Groups gradients (cut to what a binding covers) of similar size, so that a launch has few idle workgroups. */
function planNorm(gpu: Gpu, gradients: readonly Tensor[], perLane: number) {
  const pieces: Piece[] = [];
  for (const tensor of gradients) {
    for (const window of windows(gpu, tensor.size, [{ tensor, elementsPerItem: 1 }])) {
      pieces.push({ tensor, ...window });
    }
  }
  pieces.sort((a, b) => b.count - a.count);
  const launches: { pieces: Piece[]; blocks: number; slots: number }[] = [];
  while (pieces.length > 0) {
    const blocks = ceilDiv(pieces[0].count, WORKGROUP * perLane);
    // A large tensor fills the device by itself, and neighbours of another size would only add idle workgroups.
    const similar = pieces.findIndex((p) => ceilDiv(p.count, WORKGROUP * perLane) * 2 < blocks);
    const take = Math.min(NORM_TENSORS, similar < 0 ? pieces.length : similar);
    launches.push({ pieces: pieces.splice(0, take), blocks, slots: take === 1 ? 1 : NORM_TENSORS });
  }
  return launches;
}
