/** Elementwise arithmetic, in-place accumulation, filling, copies and dtype conversion. */
import { check, type Defines, type Gpu, type Purpose } from '../gpu/index.js';
import {
  broadcastShape,
  type DType,
  empty,
  formatOf,
  type Shape,
  sameShape,
  showShape,
  type Tensor,
  WEIGHTS,
} from '../tensor/index.js';
import { checkDevice, checkDtype, checkSame, launchElementwise } from './support.js';

/** Operators of {@link binary}. */
export type BinaryOp = 'add' | 'sub' | 'mul' | 'div';

/** `a op b` with NumPy broadcasting over at most four dimensions. */
export function binary(op: BinaryOp, a: Tensor, b: Tensor): Tensor {
  const gpu = checkDevice(op, a, b);
  checkDtype(op, 'a', a, 'f32');
  checkDtype(op, 'b', b, 'f32');
  const defines = { OPERATOR: op };
  if (sameShape(a.shape, b.shape)) {
    const y = empty(gpu, a.shape);
    launchElementwise(gpu, 'elementwise/binary', { a, b, y }, {}, { defines });
    return y;
  }
  const shape = broadcastShape(a.shape, b.shape, op);
  const y = empty(gpu, shape);
  if (sameShape(a.shape, shape) && repeats(b.shape, shape)) repeated(y, a, b, defines);
  else if (sameShape(b.shape, shape) && repeats(a.shape, shape))
    repeated(y, b, a, { ...defines, SWAP: true });
  else broadcast(op, y, a, b, defines);
  return y;
}

/** True if an operand is walked from its start again and again, like a bias. */
function repeats(operand: Shape, shape: Shape): boolean {
  const leading = operand.findIndex((d) => d !== 1);
  const tail = leading < 0 ? [] : operand.slice(leading);
  return tail.every((d, i) => d === shape[shape.length - tail.length + i]);
}

/** `y = a op b`, `a` as large as `y` and `b` repeated. */
function repeated(y: Tensor, a: Tensor, b: Tensor, defines: Defines): void {
  const width = b.size % 4 === 0 ? 4 : 1;
  const window = (first: number) => ({ first: first / width });
  const params = { period: b.size / width };
  launchElementwise(y.gpu, 'elementwise/repeat', { a, y }, params, { defines, width, window, whole: { b } });
}

function broadcast(op: string, y: Tensor, a: Tensor, b: Tensor, defines: Defines): void {
  const { sizes, strides } = mergeDimensions(y.shape, [a.shape, b.shape], op);
  const params: Record<string, number> = { d1: sizes[1], d2: sizes[2], d3: sizes[3] };
  for (let i = 0; i < 4; i++) {
    params[`s${i}`] = strides[0][i];
    params[`t${i}`] = strides[1][i];
  }
  const window = (first: number) => ({ first });
  // An operand as large as the result is cut along with it.
  const dense = { DENSE_A: sameShape(a.shape, y.shape), DENSE_B: sameShape(b.shape, y.shape) };
  const tensors = { ...(dense.DENSE_A ? { a } : {}), ...(dense.DENSE_B ? { b } : {}), y };
  const whole = { ...(dense.DENSE_A ? {} : { a }), ...(dense.DENSE_B ? {} : { b }) };
  launchElementwise(y.gpu, 'elementwise/broadcast', tensors, params, {
    defines: { ...defines, ...dense },
    width: 1,
    window,
    whole,
  });
}

/**
 * Describes a broadcast as at most four dimensions: neighbours that every operand walks the same way are merged, so
 * that adding a bias to any tensor is two-dimensional.
 */
function mergeDimensions(
  shape: Shape,
  operands: readonly Shape[],
  op: string,
): { sizes: number[]; strides: number[][] } {
  const strides = operands.map((operand) => {
    const own: number[] = [];
    let stride = 1;
    for (let i = shape.length - 1; i >= 0; i--) {
      const d = operand[i - shape.length + operand.length] ?? 1;
      own[i] = d === 1 ? 0 : stride;
      stride *= d;
    }
    return own;
  });
  const sizes = [...shape];
  for (let i = sizes.length - 2; i >= 0; i--) {
    const together = strides.every((s) => s[i] === s[i + 1] * sizes[i + 1]);
    if (!together && sizes[i] !== 1 && sizes[i + 1] !== 1) continue;
    const dropped = sizes[i + 1] === 1 ? i + 1 : i;
    sizes.splice(i, 2, sizes[i] * sizes[i + 1]);
    for (const s of strides) s.splice(dropped, 1);
  }
  check(sizes.length <= 4, 'shape', () => {
    return `${op}: shapes ${operands.map(showShape).join(' and ')} need more than four broadcast dimensions; reshape first`;
  });
  while (sizes.length < 4) {
    sizes.unshift(1);
    for (const s of strides) s.unshift(0);
  }
  return { sizes, strides };
}

/** `scale * x + shift`. */
export function affine(x: Tensor, scale: number, shift = 0): Tensor {
  checkDtype('affine', 'x', x, 'f32');
  const y = empty(x.gpu, x.shape);
  launchElementwise(x.gpu, 'elementwise/affine', { x, y }, { scale, shift });
  return y;
}

/** In place: `y = beta * y + alpha * x`. */
export function axpy(y: Tensor, x: Tensor, alpha: number, beta = 1): void {
  const gpu = checkDevice('axpy', y, x);
  checkSame('axpy', y, x);
  checkDtype('axpy', 'y', y, 'f32');
  checkDtype('axpy', 'x', x, 'f32');
  launchElementwise(gpu, 'elementwise/axpy', { x, y }, { alpha, beta });
}

/** In place: `y = y + x`, `y` in 16 bits (rounded to nearest even) and `x` in f32. */
export function accumulate(y: Tensor, x: Tensor): void {
  const gpu = checkDevice('accumulate', y, x);
  checkSame('accumulate', y, x);
  checkDtype('accumulate', 'y', y, 'f16', 'bf16');
  checkDtype('accumulate', 'x', x, 'f32');
  const defines = { FORMAT: y.dtype, WIDTH: 1, STORED: y.dtype };
  const window = (_: number, elements: number) => ({ elements });
  launchElementwise(gpu, 'elementwise/accumulate', { x, y }, {}, { defines, width: 2, window });
}

/** A new tensor filled with one value. */
export function full(gpu: Gpu, shape: Shape, value: number, purpose: Purpose = 'activations'): Tensor {
  const y = empty(gpu, shape, { purpose });
  launchElementwise(
    gpu,
    'elementwise/affine',
    { y },
    { scale: 0, shift: value },
    { defines: { FILL: true } },
  );
  return y;
}

/** A copy in memory of its own. */
export function copyOf(x: Tensor, purpose: Purpose = 'activations'): Tensor {
  const y = empty(x.gpu, x.shape, { dtype: x.dtype, purpose });
  x.gpu.copy(x.range, y.range);
  return y;
}

/** Converts from any format of weights to f32, f16 or bf16, rounding to nearest even; returns a new tensor even where nothing changes. */
export function cast(x: Tensor, dtype: DType, purpose: Purpose = 'activations'): Tensor {
  if (x.dtype === dtype) return copyOf(x, purpose);
  checkDtype('cast', 'x', x, ...WEIGHTS);
  check(formatOf(dtype).kind === 'float', 'dtype', () => `cast: ${x.dtype} to ${dtype} is not supported`);
  const y = empty(x.gpu, x.shape, { dtype, purpose });
  const defines = { FORMAT: x.dtype, WIDTH: 1, STORED: dtype };
  const window = (_: number, elements: number) => ({ elements });
  launchElementwise(x.gpu, 'elementwise/cast', { x, y }, {}, { defines, width: 2, window });
  return y;
}
