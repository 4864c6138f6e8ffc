/** Token log-probabilities and their gradient with frozen and with trained output weights. */
import { backward, tokenLogProbs } from '#osler/autograd/index.js';
import { fromHost, scope, tensor } from '#osler/tensor/index.js';
import { type BenchCase, disposeAll } from './case.js';

const [T, D, V] = [256, 512, 16_384];

function vocabCase(name: string, products: number, trained: { h: boolean; weight: boolean }): BenchCase {
  return {
    name,
    shape: `[${T}, ${D}] x [${V}, ${D}]`,
    flops: products * 2 * T * D * V,
    bytes: products * V * D * 2,
    setup(gpu) {
      const noise = (n: number) => Float32Array.from({ length: n }, (_, i) => Math.sin(i * 1.7) * 0.1);
      const h = tensor(gpu, noise(T * D), [T, D]).requireGrad(trained.h);
      const weight = tensor(gpu, noise(V * D), [V, D], { dtype: 'bf16' }).requireGrad(trained.weight);
      const ids = Int32Array.from({ length: T }, (_, t) => (t * 61) % V);
      const targets = fromHost(gpu, ids, [T], 'i32');
      const gradient = tensor(gpu, noise(T));
      return {
        run: () =>
          scope(() => {
            const { logp } = tokenLogProbs(h, weight, targets);
            if (trained.h) backward(logp, { gradient });
          }),
        dispose: () => disposeAll(h, weight, targets, gradient),
      };
    },
  };
}

const cases: BenchCase[] = [
  vocabCase('token log-probabilities', 1, { h: false, weight: false }),
  vocabCase('... and gradient of h', 3, { h: true, weight: false }),
  vocabCase('... and of the weights', 4, { h: true, weight: true }),
];

export default cases;
