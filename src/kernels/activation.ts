/** Unary functions and gated ones. A new function is a row here, two branches in WGSL, and a reference in the test. */
import { check } from '../gpu/index.js';
import { empty, type Tensor } from '../tensor/index.js';
import {
  checkDevice,
  checkDtype,
  checkSame,
  launchElementwise,
  narrowRows,
  part,
  walkGrid,
  windows,
} from './support.js';

/** The functions, and what the derivative of each is computed from: argument or result. */
export const UNARY = {
  silu: { saves: 'x' },
  /** The exact one, with the error function. */
  gelu: { saves: 'x' },
  geluTanh: { saves: 'x' },
  quickGelu: { saves: 'x' },
  relu: { saves: 'y' },
  sigmoid: { saves: 'y' },
  tanh: { saves: 'y' },
  exp: { saves: 'y' },
  log: { saves: 'x' },
  sqrt: { saves: 'y' },
  square: { saves: 'x' },
  reciprocal: { saves: 'y' },
  abs: { saves: 'x' },
} as const satisfies Record<string, { saves: 'x' | 'y' }>;

/** Name of a unary function. */
export type UnaryOp = keyof typeof UNARY;

/** Applies a function to every element. */
export function unary(op: UnaryOp, x: Tensor): Tensor {
  checkDtype(op, 'x', x, 'f32');
  const y = empty(x.gpu, x.shape);
  launchElementwise(x.gpu, 'activation/forward', { x, y }, {}, { defines: { FUNCTION: op } });
  return y;
}

/** Gradient of x; `saved` is x or the result, as {@link UNARY} says. */
export function unaryBackward(op: UnaryOp, saved: Tensor, gradient: Tensor): Tensor {
  const gpu = checkDevice(op, saved, gradient);
  checkSame(op, saved, gradient);
  const dx = empty(gpu, saved.shape);
  const tensors = { saved, g: gradient, dx };
  launchElementwise(gpu, 'activation/backward', tensors, {}, { defines: { FUNCTION: op } });
  return dx;
}

/** The gated functions, by what is applied to the gate. */
export const GATED = { swiglu: 'silu', geglu: 'geluTanh' } as const satisfies Record<string, UnaryOp>;

/** Name of a gated function. */
export type GatedOp = keyof typeof GATED;

/** `f(gate) * up`; without `up`, gate is [..., 2 * width] and holds both, gate first. */
export function gatedForward(op: GatedOp, gate: Tensor, up: Tensor | null): Tensor {
  const width = checkGated(op, gate, up);
  const y = empty(gate.gpu, up ? gate.shape : [...gate.shape.slice(0, -1), width]);
  launchGated(op, width, { gate, ...(up ? { up } : {}) }, { y }, up === null, false);
  return y;
}

/** Gradients of gate and up (one tensor, and null, where one tensor holds both). */
export function gatedBackward(
  op: GatedOp,
  gate: Tensor,
  up: Tensor | null,
  gradient: Tensor,
): [Tensor, Tensor | null] {
  const width = checkGated(op, gate, up);
  const gpu = checkDevice(op, gate, gradient);
  check(gradient.size === (up ? gate.size : gate.size / 2), 'shape', () => {
    return `${op}: gradient ${gradient.describe()} does not belong to gate ${gate.describe()}`;
  });
  const dgate = empty(gpu, gate.shape);
  const dup = up ? empty(gpu, up.shape) : null;
  const inputs = { gate, ...(up ? { up } : {}) };
  launchGated(op, width, inputs, { g: gradient, ...(dup ? { dgate, dup } : { dgate }) }, up === null, true);
  return [dgate, dup];
}

function checkGated(op: GatedOp, gate: Tensor, up: Tensor | null): number {
  checkDtype(op, 'gate', gate, 'f32');
  if (up) {
    checkDevice(op, gate, up);
    checkSame(op, gate, up);
    checkDtype(op, 'up', up, 'f32');
    return gate.dim(-1);
  }
  check(gate.dim(-1) % 2 === 0, 'shape', () => {
    return `${op}: ${gate.describe()} must hold gate and up side by side, so its last dimension must be even`;
  });
  return gate.dim(-1) / 2;
}

function launchGated(
  op: GatedOp,
  width: number,
  inputs: Readonly<Record<string, Tensor>>,
  others: Readonly<Record<string, Tensor>>,
  joint: boolean,
  backward: boolean,
): void {
  const { gpu } = inputs.gate;
  const rows = inputs.gate.size / (joint ? 2 * width : width);
  const value = width % 4 === 0 ? 4 : 1;
  const all = Object.entries({ ...inputs, ...others }).map(([name, tensor]) => {
    return { name, tensor, elementsPerItem: tensor.size / rows };
  });
  for (const { first, count } of windows(gpu, rows, all)) {
    const bindings = Object.fromEntries(
      all.map(({ name, tensor, elementsPerItem: e }) => [name, part(tensor, first * e, count * e)]),
    );
    const size = (count * width) / value;
    gpu.launch(
      'activation/swiglu',
      bindings,
      { size, width: width / value },
      {
        ...walkGrid(gpu, size),
        defines: {
          FUNCTION: GATED[op],
          JOINT: joint,
          BACKWARD: backward,
          VEC4: value === 4,
          ...narrowRows(gpu, width / value),
        },
      },
    );
  }
}
