import { dropout, randomNormal, randomUniform } from '#osler/kernels/random.js';
import { normal, simple } from './simple.js';

const SIZE = 1 << 20;
const ADDRESS = { seed: 1, stream: 2, step: 3 };

// Operations of a Philox block, about 200 integer ones per four numbers, are not counted.
export default [
  simple(
    'random uniform',
    [SIZE],
    { flops: 2 * SIZE, elements: SIZE },
    (gpu) => [normal(gpu, 1)],
    (x) => randomUniform(x.gpu, [SIZE], ADDRESS),
  ),
  simple(
    'random normal',
    [SIZE],
    { flops: 30 * SIZE, elements: SIZE },
    (gpu) => [normal(gpu, 1)],
    (x) => randomNormal(x.gpu, [SIZE], ADDRESS),
  ),
  simple(
    'dropout',
    [SIZE],
    { flops: 2 * SIZE, elements: 2 * SIZE },
    (gpu) => [normal(gpu, SIZE)],
    (x) => dropout(x, 0.1, ADDRESS),
  ),
];
