// Writes fixtures/expected.json: float64 losses and a few parameters of the training items after 1 and 3 steps, and a few logits.
// Run it (about 20 seconds) when models.mjs changes: node bench/peers/reference/make.mjs
import { writeFileSync } from 'node:fs';
import { gptParameters, mlpParameters } from '../models.mjs';
import { integers } from '../random.mjs';
import { train } from './adam.mjs';
import { gptForward, gptLossAndGradients } from './gpt.mjs';
import { mlpLossAndGradients } from './mlp.mjs';

const CHECKED_STEPS = [1, 3];
const PROBES_PER_PARAMETER = 3;
// Adam's first steps have the size lr whatever the gradient: where it is all but zero, rounding decides the sign.
// (The gradient of a key bias is exactly zero, so no probe comes from there.)
const SMALLEST_GRADIENT = 1e-5;

function pickProbes(gradients) {
  const probes = [];
  for (const [name, gradient] of gradients) {
    const candidates = [...new Set(integers(`probe.${name}`, 200, gradient.length))];
    const steady = candidates.filter((index) => Math.abs(gradient[index]) > SMALLEST_GRADIENT);
    for (const index of steady.slice(0, PROBES_PER_PARAMETER)) probes.push({ name, index });
  }
  return probes;
}

function expectedTraining(parameters, lossAndGradients) {
  let probes;
  const steps = {};
  train(parameters, lossAndGradients, Math.max(...CHECKED_STEPS), (step, loss, weights, gradients) => {
    probes ??= pickProbes(gradients);
    console.log(`step ${step}: loss ${loss}`);
    if (!CHECKED_STEPS.includes(step)) return;
    steps[step] = { loss, values: probes.map(({ name, index }) => weights.get(name)[index]) };
  });
  return { probes, steps };
}

function expectedLogits() {
  const weights = new Map([...gptParameters()].map(([name, { data }]) => [name, Float64Array.from(data)]));
  const { logits } = gptForward(weights);
  const indices = Array.from(integers('probe.logits', 256, logits.length));
  return { indices, values: indices.map((index) => logits[index]) };
}

const expected = {
  mlp: expectedTraining(mlpParameters(), mlpLossAndGradients),
  gpt: expectedTraining(gptParameters(), gptLossAndGradients),
  gptfwd: expectedLogits(),
};
writeFileSync(new URL('./fixtures/expected.json', import.meta.url), `${JSON.stringify(expected)}\n`);
