import {
  gatedBackward,
  gatedForward,
  type UnaryOp,
  unary,
  unaryBackward,
} from '#osler/kernels/activation.js';
import { normal, simple } from './simple.js';

const SIZE = 1 << 20;
const UNARY: [UnaryOp, number][] = [
  ['silu', 5],
  ['gelu', 25],
  ['quickGelu', 6],
];
/** 256 tokens of Qwen2-VL-2B. */
const [ROWS, WIDTH] = [256, 8960];

export default [
  ...UNARY.flatMap(([op, flops]) => [
    simple(
      op,
      [SIZE],
      { flops: flops * SIZE, elements: 2 * SIZE },
      (gpu) => [normal(gpu, SIZE)],
      (x) => unary(op, x),
    ),
    simple(
      `${op} backward`,
      [SIZE],
      { flops: 2 * flops * SIZE, elements: 3 * SIZE },
      (gpu) => [normal(gpu, SIZE), normal(gpu, SIZE)],
      (x, g) => unaryBackward(op, x, g),
    ),
  ]),
  simple(
    'swiglu',
    [ROWS, WIDTH],
    { flops: 6 * ROWS * WIDTH, elements: 3 * ROWS * WIDTH },
    (gpu) => [normal(gpu, ROWS, WIDTH), normal(gpu, ROWS, WIDTH)],
    (gate, up) => gatedForward('swiglu', gate, up),
  ),
  simple(
    'swiglu of one tensor',
    [ROWS, 2 * WIDTH],
    { flops: 6 * ROWS * WIDTH, elements: 3 * ROWS * WIDTH },
    (gpu) => [normal(gpu, ROWS, 2 * WIDTH)],
    (joint) => gatedForward('swiglu', joint, null),
  ),
  simple(
    'swiglu backward',
    [ROWS, WIDTH],
    { flops: 16 * ROWS * WIDTH, elements: 5 * ROWS * WIDTH },
    (gpu) => [normal(gpu, ROWS, WIDTH), normal(gpu, ROWS, WIDTH), normal(gpu, ROWS, WIDTH)],
    (gate, up, g) => gatedBackward('swiglu', gate, up, g),
  ),
];
