import {
  type NormKind,
  normForward,
  normInputGradient,
  normParameterGradients,
} from '#osler/kernels/norm.js';
import { normal, simple } from './simple.js';

const EPS = 1e-6;
const SHAPES: [NormKind, number, number][] = [
  ['layerNorm', 1024, 768],
  ['rmsNorm', 1024, 1536],
  ['layerNorm', 4096, 1280],
];

export default SHAPES.flatMap(([kind, rows, n]) => {
  const size = rows * n;
  const layer = kind === 'layerNorm';
  return [
    simple(
      kind,
      [rows, n],
      { flops: 7 * size, elements: 2 * size },
      (gpu) => [normal(gpu, rows, n), normal(gpu, n), normal(gpu, n)],
      (x, weight, bias) => normForward({ kind, x, weight, bias: layer ? bias : null, eps: EPS }),
    ),
    simple(
      `add and ${kind}`,
      [rows, n],
      { flops: 8 * size, elements: 4 * size },
      (gpu) => [normal(gpu, rows, n), normal(gpu, rows, n), normal(gpu, n)],
      (x, residual, weight) => normForward({ kind, x, residual, weight, eps: EPS }),
    ),
    simple(
      `${kind} input gradient`,
      [rows, n],
      { flops: 10 * size, elements: 3 * size },
      (gpu) => [
        normal(gpu, rows, n),
        normal(gpu, rows, n),
        normal(gpu, n),
        normal(gpu, rows),
        normal(gpu, rows),
      ],
      (x, gradient, weight, rstd, mean) =>
        normInputGradient({ kind, x, gradient, rstd, mean: layer ? mean : null }, weight),
    ),
    simple(
      `${kind} weight gradient`,
      [rows, n],
      { flops: 5 * size, elements: 2 * size },
      (gpu) => [normal(gpu, rows, n), normal(gpu, rows, n), normal(gpu, rows), normal(gpu, rows)],
      (x, gradient, rstd, mean) =>
        normParameterGradients({ kind, x, gradient, rstd, mean: layer ? mean : null }, { bias: layer }),
    ),
  ];
});
