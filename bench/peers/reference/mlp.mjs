// float64 loss and gradients of the MLP item.
import { MLP, mlpInputs } from '../models.mjs';
import { linear, linearBackward } from './ops.mjs';

/** @param {Map<string, Float64Array>} weights */
export function mlpLossAndGradients(weights) {
  const { batch, in: n, hidden, out } = MLP;
  const { x, target } = mlpInputs();
  const before = linear(x.data, weights.get('w1'), weights.get('b1'), batch, n, hidden);
  const active = before.map((u) => Math.max(u, 0));
  const y = linear(active, weights.get('w2'), weights.get('b2'), batch, hidden, out);
  const difference = y.map((u, i) => u - target.data[i]);
  const loss = difference.reduce((sum, u) => sum + u * u, 0) / y.length;
  const dy = difference.map((u) => (2 * u) / y.length);
  const second = linearBackward(dy, active, weights.get('w2'), batch, hidden, out);
  const dBefore = second.dx.map((g, i) => (before[i] > 0 ? g : 0));
  const first = linearBackward(dBefore, x.data, weights.get('w1'), batch, n, hidden);
  const gradients = new Map([
    ['w1', first.dw],
    ['b1', first.db],
    ['w2', second.dw],
    ['b2', second.db],
  ]);
  return { loss, gradients };
}
