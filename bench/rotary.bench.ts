import { rotate } from '#osler/kernels/rotary.js';
import { normal, simple } from './simple.js';

const SHAPES = [
  [1024, 12, 128],
  [4096, 16, 80],
];

export default SHAPES.map(([tokens, heads, dim]) =>
  simple(
    'rotary',
    [tokens, heads, dim],
    { flops: 3 * tokens * heads * dim, elements: 2 * tokens * heads * dim + tokens * dim },
    (gpu) => [normal(gpu, tokens, heads, dim), normal(gpu, tokens, dim / 2), normal(gpu, tokens, dim / 2)],
    (x, cos, sin) => rotate(x, { cos, sin }),
  ),
);
