// A float64 training loop with Adam for the reference models.
import { ADAM } from '../models.mjs';

/** Runs `steps` Adam steps of `lossAndGradients(weights)`; calls `onStep(step, loss, weights, gradients)` after each. */
export function train(parameters, lossAndGradients, steps, onStep) {
  const weights = new Map([...parameters].map(([name, { data }]) => [name, Float64Array.from(data)]));
  const zeros = () => new Map([...weights].map(([name, w]) => [name, new Float64Array(w.length)]));
  const [first, second] = [zeros(), zeros()];
  const { lr, beta1, beta2, eps } = ADAM;
  for (let step = 1; step <= steps; step++) {
    const { loss, gradients } = lossAndGradients(weights);
    for (const [name, w] of weights) {
      const [g, m, v] = [gradients.get(name), first.get(name), second.get(name)];
      for (let i = 0; i < w.length; i++) {
        m[i] = beta1 * m[i] + (1 - beta1) * g[i];
        v[i] = beta2 * v[i] + (1 - beta2) * g[i] ** 2;
        w[i] -= (lr * (m[i] / (1 - beta1 ** step))) / (Math.sqrt(v[i] / (1 - beta2 ** step)) + eps);
      }
    }
    onStep(step, loss, weights, gradients);
  }
}
