import { argmax, columnSum, reduceAll, reduceAxis } from '#osler/kernels/reduce.js';
import { normal, simple } from './simple.js';

const ROWS = [
  [1024, 1024],
  [8, 151_936],
];
const COLUMNS = [
  [1024, 1536],
  [100_000, 64],
  [16_384, 1536],
];

export default [
  simple(
    'sum of all',
    [1 << 22],
    { flops: 1 << 22, elements: 1 << 22 },
    (gpu) => [normal(gpu, 1 << 22)],
    (x) => reduceAll('sum', x),
  ),
  ...ROWS.flatMap(([rows, n]) => [
    simple(
      'max of rows',
      [rows, n],
      { flops: rows * n, elements: rows * n },
      (gpu) => [normal(gpu, rows, n)],
      (x) => reduceAxis('max', x, 1),
    ),
    simple(
      'argmax',
      [rows, n],
      { flops: rows * n, elements: rows * n },
      (gpu) => [normal(gpu, rows, n)],
      (x) => argmax(x),
    ),
  ]),
  ...COLUMNS.map(([rows, n]) =>
    simple(
      'column sum',
      [rows, n],
      { flops: rows * n, elements: rows * n },
      (gpu) => [normal(gpu, rows, n)],
      (x) => columnSum(x),
    ),
  ),
];
