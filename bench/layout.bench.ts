import { concat, permute, split } from '#osler/kernels/layout.js';
import { gatherRows, scatterRows } from '#osler/kernels/layout-rows.js';
import { fromHost } from '#osler/tensor/index.js';
import { normal, simple } from './simple.js';

/** Reads and writes every element once. */
const move = (size: number) => ({ flops: 0, elements: 2 * size });

export default [
  simple(
    'transpose',
    [1024, 1024],
    move(1 << 20),
    (gpu) => [normal(gpu, 1024, 1024)],
    (x) => permute(x, [1, 0]),
  ),
  simple(
    'permute heads',
    [4, 256, 12, 128],
    move(4 * 256 * 12 * 128),
    (gpu) => [normal(gpu, 4, 256, 12, 128)],
    (x) => permute(x, [0, 2, 1, 3]),
  ),
  simple(
    'split q, k, v',
    [1024, 3840],
    move(1024 * 3840),
    (gpu) => [normal(gpu, 1024, 3840)],
    (x) => split(x, [1280, 1280, 1280], 1),
  ),
  simple(
    'concat',
    [1024, 3840],
    move(1024 * 3840),
    (gpu) => [normal(gpu, 1024, 1280), normal(gpu, 1024, 1280), normal(gpu, 1024, 1280)],
    (q, k, v) => concat([q, k, v], 1),
  ),
  simple(
    'reorder rows',
    [1024, 5120],
    move(1024 * 5120),
    (gpu) => [
      normal(gpu, 1024, 5120),
      fromHost(
        gpu,
        Int32Array.from({ length: 1024 }, (_, i) => (i * 37) % 1024),
        [1024],
        'i32',
      ),
    ],
    (x, ids) => gatherRows(x, ids),
  ),
  simple(
    'insert rows',
    [1024, 1536],
    move(1024 * 1536),
    (gpu) => [
      normal(gpu, 1024, 1536),
      normal(gpu, 256, 1536),
      fromHost(
        gpu,
        Int32Array.from({ length: 256 }, (_, i) => i + 15),
        [256],
        'i32',
      ),
    ],
    (x, rows, ids) => scatterRows(x, rows, ids),
  ),
];
