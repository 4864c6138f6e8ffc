/**
 * The output layer and the log-softmax over the vocabulary, fused chunk by chunk: logits for a few thousand tokens of
 * the vocabulary at a time, never all of them. The backward pass computes each chunk of logits again.
 *
 * Log-probabilities are as exact on matrix units as elsewhere (relative L2 error below 1e-5 in every tier): logits are
 * products with the accuracy of f32, as the sampler's are. Gradients may be rounded there with weights in f16 or bf16: relative
 * L2 error below 5e-4, else below 1e-5.
 */
import { check } from '../gpu/index.js';
import { bytesOf, empty, FLOATS, showShape, type Tensor, zeros } from '../tensor/index.js';
import { gradientPrecision, matmul } from './matmul.js';
import { rowLaunch } from './rows.js';
import { ceilDiv, checkDevice, checkDtype, checkShapeIs, fold } from './support.js';

/** Memory for a chunk of logits unless the caller says otherwise. */
const SCRATCH_BYTES = 64 << 20;
/** Rows of hidden states per block are limited so that a chunk has at least this many columns. */
const LEAST_COLUMNS = 1024;
/** Chunks start at multiples of this many rows, which aligns them in memory whatever the row length and dtype. */
const STEP = 128;
const WORKGROUP = 64;

/** Inputs of {@link tokenStatistics}. */
export interface VocabProblem {
  /** Hidden states, f32 [T, D]. */
  readonly h: Tensor;
  /** Output weights, f32, f16 or bf16 [V, D]. */
  readonly weight: Tensor;
  /** Token ids, i32 [T]; an id outside 0..V-1 (such as -100) has log-probability 0 and is no hit. */
  readonly targets: Tensor;
  /** Logits are divided by it. */
  readonly temperature: number;
  /** Bytes that a chunk of logits may take. */
  readonly scratchBytes?: number;
}

/** Statistics of tokens under a model, each f32 [T]. */
export interface TokenStatistics {
  readonly logp: Tensor;
  readonly entropy: Tensor;
  readonly lse: Tensor;
  /** 1 where the target is the most likely token (of several as likely the one with the lowest id, as argmax), else 0. */
  readonly hit: Tensor;
}

/**
 * Log-probability of the target, entropy, and log-sum-exp of softmax(h weight^T / temperature) for every row of h, and
 * whether the target is its argmax.
 */
export function tokenStatistics(problem: VocabProblem): TokenStatistics {
  const { h, weight, targets, temperature } = problem;
  const { gpu, tokens, vocab } = checkProblem(problem);
  const logp = empty(gpu, [tokens]);
  const entropy = empty(gpu, [tokens]);
  const lse = empty(gpu, [tokens]);
  const hit = empty(gpu, [tokens]);
  for (const block of rowBlocks(problem)) {
    const hidden = rowsOf(h, block);
    const own = { targets: rowsOf(targets, block), hit: rowsOf(hit, block) };
    const out = { logp: rowsOf(logp, block), entropy: rowsOf(entropy, block), lse: rowsOf(lse, block) };
    const state = empty(gpu, [block.count, 4], { purpose: 'scratch' });
    for (const chunk of chunks(problem, block.count)) {
      const last = chunk.first + chunk.count === vocab;
      const part = rowsOf(weight, chunk);
      const logits = matmul(hidden, part, { transposeB: true, purpose: 'scratch' });
      const { workgroup, defines } = rowLaunch(gpu, chunk.count, 16);
      gpu.launch(
        'vocab/statistics',
        { logits, state, ...own, ...(last ? out : {}) },
        { rows: block.count, columns: chunk.count, firstId: chunk.first, scale: 1 / temperature },
        {
          groups: fold(gpu, block.count),
          defines: { ...defines, FIRST: chunk.first === 0, LAST: last },
          constants: { WORKGROUP: workgroup },
        },
      );
      dispose(logits, part);
    }
    dispose(hidden, state, ...Object.values(own), ...Object.values(out));
  }
  return { logp, entropy, lse, hit };
}

/** What flows back into {@link tokenStatistics}, and where the gradients go. */
export interface TokenStatisticsGradient {
  /** f32 [T], or null where nothing flows back. */
  readonly logpGrad: Tensor | null;
  readonly entropyGrad: Tensor | null;
  /** Whether to compute the gradient of h. */
  readonly needsH: boolean;
  /** f32 [V, D] to add the gradient of the weight into; null for frozen weights. */
  readonly weightGrad: Tensor | null;
}

/** The gradient of h (null if not needed); the gradient of the weight is added into `weightGrad`. */
export function tokenStatisticsBackward(
  problem: VocabProblem,
  { entropy, lse }: Pick<TokenStatistics, 'entropy' | 'lse'>,
  { logpGrad, entropyGrad, needsH, weightGrad }: TokenStatisticsGradient,
): Tensor | null {
  const { h, weight, targets, temperature } = problem;
  const { gpu, vocab } = checkProblem(problem);
  const dh = needsH ? zeros(gpu, h.shape) : null;
  if (!logpGrad && !entropyGrad) return dh;
  for (const block of rowBlocks(problem)) {
    const hidden = rowsOf(h, block);
    const rows: Record<string, Tensor> = { targets: rowsOf(targets, block), lse: rowsOf(lse, block) };
    if (logpGrad) rows.w = rowsOf(logpGrad, block);
    if (entropyGrad) Object.assign(rows, { u: rowsOf(entropyGrad, block), entropy: rowsOf(entropy, block) });
    const dHidden = dh && rowsOf(dh, block);
    for (const chunk of chunks(problem, block.count)) {
      const part = rowsOf(weight, chunk);
      const logits = matmul(hidden, part, { transposeB: true, purpose: 'scratch' });
      const [y, z] = fold(gpu, block.count);
      gpu.launch(
        'vocab/gradient',
        { logits, ...rows },
        { rows: block.count, columns: chunk.count, firstId: chunk.first, vocab, scale: 1 / temperature },
        {
          groups: [ceilDiv(chunk.count, WORKGROUP * 16), y, z],
          defines: { LOGP: logpGrad !== null, ENTROPY: entropyGrad !== null },
          constants: { WORKGROUP },
        },
      );
      if (dHidden) matmul(logits, part, { into: dHidden, precision: gradientPrecision(part) });
      if (weightGrad) {
        const into = rowsOf(weightGrad, chunk);
        matmul(logits, hidden, { transposeA: true, into, precision: gradientPrecision(part) }).dispose();
      }
      dispose(logits, part);
    }
    dispose(hidden, ...Object.values(rows));
    dHidden?.dispose();
  }
  return dh;
}

interface Rows {
  readonly first: number;
  readonly count: number;
}

/** A handle on some rows of a tensor; the caller disposes it. */
function rowsOf(t: Tensor, { first, count }: Rows): Tensor {
  const rowElements = t.size / t.shape[0];
  return t.alias([count, ...t.shape.slice(1)], t.offset + bytesOf(t.dtype, first * rowElements));
}

function dispose(...tensors: readonly Tensor[]): void {
  for (const t of tensors) t.dispose();
}

/** Blocks of rows of h, few enough that a useful number of vocabulary columns fits the scratch memory. */
function* rowBlocks(problem: VocabProblem): Generator<Rows> {
  const tokens = problem.h.shape[0];
  const columns = Math.min(LEAST_COLUMNS, problem.weight.shape[0]);
  const most = Math.floor(chunkBytes(problem) / (4 * columns));
  yield* cut(tokens, Math.max(STEP, most - (most % STEP)));
}

/** Chunks of the vocabulary whose logits fit the scratch memory. */
function* chunks(problem: VocabProblem, rows: number): Generator<Rows> {
  const most = Math.floor(chunkBytes(problem) / (4 * rows));
  yield* cut(problem.weight.shape[0], Math.max(STEP, most - (most % STEP)));
}

function* cut(total: number, most: number): Generator<Rows> {
  // Equal parts: a short last chunk would use the matrix product badly.
  const parts = ceilDiv(total, most);
  const size = ceilDiv(ceilDiv(total, parts), STEP) * STEP;
  for (let first = 0; first < total; first += size) yield { first, count: Math.min(size, total - first) };
}

function chunkBytes({ h, scratchBytes = SCRATCH_BYTES }: VocabProblem): number {
  return Math.min(scratchBytes, h.gpu.maxBindingBytes);
}

function checkProblem({ h, weight, targets, temperature }: VocabProblem) {
  const op = 'tokenLogProbs';
  const gpu = checkDevice(op, h, weight, targets);
  checkDtype(op, 'h', h, 'f32');
  checkDtype(op, 'weight', weight, ...FLOATS);
  checkDtype(op, 'targets', targets, 'i32');
  checkShapeIs(op, 'h', h, [-1, -1]);
  const [tokens, dim] = h.shape;
  check(weight.rank === 2 && weight.shape[1] === dim, 'shape', () => {
    return `${op}: weight ${weight.describe()} does not fit hidden states ${showShape(h.shape)}; expected [vocabulary, ${dim}]`;
  });
  checkShapeIs(op, 'targets', targets, [tokens]);
  check(temperature > 0 && Number.isFinite(temperature), 'value', () => {
    return `${op}: temperature is ${temperature}; it must be positive`;
  });
  return { gpu, tokens, vocab: weight.shape[0] };
}

/** Which targets {@link negativeLogLikelihood} leaves out, and whether it divides by the number of the others. */
export interface NllOptions {
  readonly vocab: number;
  readonly ignoreIndex: number;
  readonly reduction: 'mean' | 'sum';
}

/**
 * f32 [2]: the negative log-likelihood over the targets that count, and their number. Targets that are neither
 * `ignoreIndex` nor in the vocabulary make the loss NaN; so does the mean of nothing.
 */
export function negativeLogLikelihood(logp: Tensor, targets: Tensor, options: NllOptions): Tensor {
  const { gpu } = logp;
  const result = empty(gpu, [2]);
  const { workgroup, defines } = rowLaunch(gpu, logp.size);
  gpu.launch(
    'vocab/nll',
    { logp, targets, result },
    { size: logp.size, vocab: options.vocab, ignore: options.ignoreIndex },
    {
      groups: [1],
      defines: { ...defines, MEAN: options.reduction === 'mean' },
      constants: { WORKGROUP: workgroup },
    },
  );
  return result;
}

/** The gradient of the log-probabilities, from that of the loss (one element) and the forward's `result`. */
export function negativeLogLikelihoodBackward(
  lossGrad: Tensor,
  targets: Tensor,
  result: Tensor,
  options: NllOptions,
): Tensor {
  const dlogp = empty(targets.gpu, targets.shape);
  targets.gpu.launch(
    'vocab/nll-gradient',
    { g: lossGrad, targets, result, dlogp },
    { size: targets.size, ignore: options.ignoreIndex },
    {
      groups: [ceilDiv(targets.size, WORKGROUP)],
      defines: { MEAN: options.reduction === 'mean' },
      constants: { WORKGROUP },
    },
  );
  return dlogp;
}
