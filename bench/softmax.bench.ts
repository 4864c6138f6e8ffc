import { softmaxBackward, softmaxForward } from '#osler/kernels/softmax.js';
import { normal, simple } from './simple.js';

const SHAPES = [
  [1024, 1024],
  [4096, 256],
  [64, 32_768],
];

export default SHAPES.flatMap(([rows, n]) => [
  simple(
    'softmax',
    [rows, n],
    { flops: 5 * rows * n, elements: 2 * rows * n },
    (gpu) => [normal(gpu, rows, n)],
    (x) => softmaxForward('softmax', x),
  ),
  simple(
    'softmax backward',
    [rows, n],
    { flops: 4 * rows * n, elements: 3 * rows * n },
    (gpu) => [normal(gpu, rows, n), normal(gpu, rows, n)],
    (y, g) => softmaxBackward('softmax', y, g),
  ),
]);
