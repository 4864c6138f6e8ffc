/** Optimizer steps: AdamW and plain gradient descent, on many tensors at a time. */
import { check, type Gpu } from '../gpu/index.js';
import { FLOATS, type Storage, type Tensor } from '../tensor/index.js';
import { ceilDiv, checkDevice, checkDtype, checkSame, fold, part, windows } from './support.js';

const WORKGROUP = 64;
/** Tensors up to this many elements share launches; above it the work outweighs the launch. */
const SMALL = 1 << 16;

/** A parameter and its gradient; 16-bit parameters have an f32 master copy that the optimizer works on. */
export interface Trainable {
  readonly param: Tensor;
  readonly grad: Tensor;
  /** The f32 master of a 16-bit parameter; both are updated. */
  readonly master?: Tensor;
}

/** A parameter with AdamW's running averages, both f32 and zero before the first step. */
export interface AdamWTensors extends Trainable {
  readonly m: Tensor;
  readonly v: Tensor;
}

/** Options that {@link adamw} and {@link sgd} share. */
export interface UpdateOptions {
  readonly lr: number;
  /** Decoupled weight decay; 0 by default. */
  readonly weightDecay?: number;
  /** Factor on the gradients, on top of what `control` says; 1 by default. */
  readonly gradScale?: number;
  /** Result of `gradientNorm`: scales the gradients, and makes the update a no-op if something was not finite. */
  readonly control?: Tensor;
}

/** Options of {@link adamw}; defaults are PyTorch's. */
export interface AdamWOptions extends UpdateOptions {
  /** Number of this step, counting from 1; bias correction depends on it. */
  readonly step: number;
  readonly beta1?: number;
  readonly beta2?: number;
  readonly eps?: number;
}

/**
 * One AdamW step as PyTorch does it, in place on each parameter (and its master), `m` and `v`. The step number and
 * learning rate are parameters of the launch: do not replay a recording of it for another step.
 */
export function adamw(tensors: readonly AdamWTensors[], options: AdamWOptions): void {
  const op = 'adamw';
  update(op, tensors, ({ m, v }) => ({ m, v }), options, adamwFactors(op, options));
}

/** @internal Checks the options; the factors of the update that depend on the step, in f64. */
export function adamwFactors(op: string, options: AdamWOptions) {
  const { step, lr, weightDecay, beta1 = 0.9, beta2 = 0.999, eps = 1e-8 } = options;
  const inUnit = (b: number) => b >= 0 && b < 1;
  check(Number.isInteger(step) && step >= 1, 'value', () => `${op}: step is ${step}; steps count from 1`);
  check(inUnit(beta1) && inUnit(beta2), 'value', () => `${op}: betas ${beta1}, ${beta2} are not in [0, 1)`);
  check(eps >= 0, 'value', () => `${op}: eps is ${eps}`);
  return {
    decay: decayOf(op, lr, weightDecay),
    stepSize: lr / (1 - beta1 ** step),
    rate1: 1 - beta1,
    beta2,
    rate2: 1 - beta2,
    correction2: 1 / Math.sqrt(1 - beta2 ** step),
    eps,
  };
}

/** The factor that decay puts on a parameter. */
function decayOf(op: string, lr: number, weightDecay = 0): number {
  check(Number.isFinite(lr) && lr >= 0, 'value', () => `${op}: lr is ${lr}`);
  check(Number.isFinite(weightDecay) && weightDecay >= 0, 'value', () => {
    return `${op}: weightDecay is ${weightDecay}`;
  });
  return 1 - lr * weightDecay;
}

/** One step of plain gradient descent with decoupled weight decay, in place. */
export function sgd(tensors: readonly Trainable[], options: UpdateOptions): void {
  update('sgd', tensors, () => ({}), options, { stepSize: options.lr });
}

/** A stretch of one parameter and of everything that belongs to it, by binding name. */
interface Piece {
  readonly tensors: Readonly<Record<string, Tensor>>;
  readonly first: number;
  readonly count: number;
  /** Pieces with the same key can share a launch. */
  readonly key: string;
}

function update<T extends Trainable>(
  op: string,
  list: readonly T[],
  stateOf: (tensors: T) => Record<string, Tensor>,
  options: UpdateOptions,
  factors: Readonly<Record<string, number>>,
): void {
  const { lr, weightDecay, gradScale = 1, control } = options;
  check(list.length > 0, 'value', () => `${op}: the list of parameters is empty`);
  const pieces: Piece[] = [];
  const all: Tensor[] = [];
  for (const item of list) {
    const tensors = { g: item.grad, p: item.master ?? item.param, ...stateOf(item) };
    checkTrainable(op, item, tensors);
    const bound = item.master ? { ...tensors, stored: item.param } : tensors;
    all.push(...Object.values(bound));
    const shares = Object.values(bound).map((tensor) => ({ tensor, elementsPerItem: 1 }));
    for (const { first, count } of windows(item.param.gpu, item.param.size, shares)) {
      const key = `${item.param.dtype} ${count % 4 === 0}`;
      pieces.push({ tensors: bound, first, count, key });
    }
  }
  const gpu = checkDevice(op, ...all, ...(control ? [control] : []));
  if (control) checkDtype(op, 'control', control, 'f32');
  const params = { scale: gradScale, decay: decayOf(op, lr, weightDecay), ...factors };
  for (const group of groupPieces(gpu, pieces)) launch(gpu, op, group, params, control);
}

function checkTrainable(op: string, { param, master }: Trainable, tensors: Record<string, Tensor>): void {
  checkDtype(op, 'param', param, ...FLOATS);
  check((param.dtype === 'f32') === (master === undefined), 'dtype', () => {
    return param.dtype === 'f32'
      ? `${op}: parameter ${param.describe()} needs no master copy`
      : `${op}: parameter ${param.describe()} needs an f32 master copy; cast(param, 'f32') makes one`;
  });
  for (const [name, t] of Object.entries(tensors)) {
    checkSame(op, param, t);
    checkDtype(op, name === 'g' ? 'grad' : name === 'p' ? 'master' : name, t, 'f32');
  }
}

/** Pieces that share a launch: small ones of the same kind, largest first, as many as the adapter has bindings for. */
function groupPieces(gpu: Gpu, pieces: readonly Piece[]): Piece[][] {
  const kinds = new Map<string, Piece[]>();
  const groups: Piece[][] = [];
  for (const piece of pieces) {
    const kind = kinds.get(piece.key);
    if (piece.count > SMALL) groups.push([piece]);
    else if (kind) kind.push(piece);
    else kinds.set(piece.key, [piece]);
  }
  for (const small of kinds.values()) {
    const slots = Object.keys(small[0].tensors).length;
    const most = Math.floor((gpu.limits.maxStorageBuffersPerShaderStage - 1) / slots);
    // Two shaders per kind are enough: full groups, and single tensors for what is left.
    const full = most >= 3 ? 3 : 1;
    small.sort((a, b) => b.count - a.count);
    while (small.length > 0) {
      const group = apart(small, full);
      groups.push(...(group.length === full ? [group] : group.map((piece) => [piece])));
    }
  }
  return groups;
}

/**
 * Takes up to `most` pieces out of a list, the first ones that share no memory: a dispatch may bind a written buffer only
 * once, and views of one buffer, or windows of one tensor, are in it.
 */
function apart(list: Piece[], most: number): Piece[] {
  const taken: Piece[] = [];
  const seen = new Set<Storage>();
  for (let i = 0; i < list.length && taken.length < most; ) {
    const storages = Object.values(list[i].tensors).map((t) => t.storage);
    if (storages.some((storage) => seen.has(storage))) i++;
    else {
      taken.push(...list.splice(i, 1));
      for (const storage of storages) seen.add(storage);
    }
  }
  return taken;
}

function launch(
  gpu: Gpu,
  op: string,
  group: readonly Piece[],
  params: Readonly<Record<string, number>>,
  control: Tensor | undefined,
): void {
  const bindings: Record<string, ReturnType<typeof part> | Tensor> = control ? { control } : {};
  const sizes: Record<string, number> = {};
  group.forEach(({ tensors, first, count }, i) => {
    sizes[`size${i}`] = count;
    for (const name in tensors) {
      const t = tensors[name];
      bindings[`${name}${i}`] = count === t.size ? t : part(t, first, count);
    }
  });
  const vec4 = group[0].count % 4 === 0;
  const most = Math.max(...group.map((piece) => piece.count));
  const [x, z] = fold(gpu, ceilDiv(most, WORKGROUP * (vec4 ? 4 : 2)));
  const stored = group[0].tensors.stored?.dtype;
  gpu.launch(
    'optimizer/adamw',
    bindings,
    { ...sizes, ...params },
    {
      groups: [x, group.length, z],
      defines: {
        TENSORS: group.length,
        VEC4: vec4,
        CONTROL: control !== undefined,
        SGD: op === 'sgd',
        STORED: stored ?? 'f32',
      },
      constants: { WORKGROUP },
    },
  );
}
