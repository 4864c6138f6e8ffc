import { describe, expect, it } from 'vitest';
import { TRL } from '../../rollout/test-trl.js';
import { type LossSequence, policyLoss } from './policy-loss.js';
import { LOSS_DEFAULTS, type LossSettings, type LossType, type LossWindow } from './settings.js';
import { LossStatistics } from './statistics.js';

const WINDOW: LossWindow = { accumulation: 1, tokens: 3, maxCompletionLength: 16 };

function sequence(values: Partial<LossSequence>): LossSequence {
  const logps = values.logps ?? [-1, -2, -0.5];
  return {
    logps,
    entropies: Array.from(logps, (_, i) => i / 10),
    oldLogps: null,
    refLogps: null,
    advantage: 1,
    mask: null,
    ...values,
  };
}

describe("TRL's losses", () => {
  it.each(TRL.losses.map((found) => [JSON.stringify(found.settings), found] as const))('%s', (_, found) => {
    const { settings: s, logps, entropies, oldLogps, refLogps, advantages } = found;
    const accumulation = s.gradient_accumulation_steps ?? 1;
    const settings: LossSettings = {
      ...LOSS_DEFAULTS,
      lossType: s.loss_type as LossType,
      importanceSamplingLevel: s.importance_sampling_level ?? 'token',
      epsilonHigh: s.epsilon_high ?? 0.2,
      delta: s.delta ?? null,
      beta: s.beta ?? 0,
      entropyCoef: s.entropy_coef ?? 0,
      topEntropyQuantile: s.top_entropy_quantile ?? 1,
      useBiasCorrectionKl: s.use_bias_correction_kl ?? false,
      offPolicyMaskThreshold: s.off_policy_mask_threshold ?? null,
      vespoKPos: s.vespo_k_pos ?? 2,
      vespoLambdaPos: s.vespo_lambda_pos ?? 3,
      vespoKNeg: s.vespo_k_neg ?? 3,
      vespoLambdaNeg: s.vespo_lambda_neg ?? 2,
    };
    const tokens = s.num_items ?? logps.flat().length;
    const result = policyLoss(
      logps.map((own, i) => ({
        logps: own,
        entropies: entropies[i],
        oldLogps: oldLogps?.[i] ?? null,
        samplerLogps: oldLogps?.[i] ?? null,
        refLogps: refLogps[i],
        advantage: advantages[i],
        mask: null,
      })),
      settings,
      { accumulation, tokens, maxCompletionLength: 16 },
    );
    expect(result.loss).toBeCloseTo(found.loss, 7);
    const grads = result.logpGrads.flatMap((row) => [...row]);
    found.logpGrads.flat().forEach((expected, i) => void expect(grads[i]).toBeCloseTo(expected, 6));
    const ownEntropy = result.entropyGrads?.flatMap((row) => [...row]) ?? null;
    expect(ownEntropy === null).toBe(found.entropyGrads === null);
    found.entropyGrads
      ?.flat()
      .forEach((expected, i) => void expect(ownEntropy?.[i]).toBeCloseTo(expected, 7));
    const metrics: Record<string, number> = result.statistics.metrics();
    for (const [name, expected] of Object.entries(found.metrics)) {
      // TRL logs the loss before it is divided by the accumulation steps, but not so for the losses by token.
      const scale = ['dapo', 'cispo', 'vespo'].includes(s.loss_type) ? 1 : accumulation;
      const own = name === 'policy_loss' ? result.policyLoss * scale : metrics[name];
      expect(own, name).toBeCloseTo(expected, 6);
    }
  });
});

it('leaves out masked tokens as if they were not there', () => {
  const settings: LossSettings = { ...LOSS_DEFAULTS, lossType: 'grpo', beta: 0.1, entropyCoef: 0.1 };
  const whole = sequence({
    logps: [-1, -9, -0.5],
    entropies: [1, 7, 2],
    oldLogps: [-1.2, -3, -0.4],
    refLogps: [-1, -2, -3],
    mask: [1, 0, 1],
  });
  const without = sequence({
    logps: [-1, -0.5],
    entropies: [1, 2],
    oldLogps: [-1.2, -0.4],
    refLogps: [-1, -3],
  });
  for (const level of ['token', 'sequence'] as const) {
    const own = { ...settings, importanceSamplingLevel: level };
    const masked = policyLoss([whole], own, WINDOW);
    const short = policyLoss([without], own, WINDOW);
    expect(masked.loss).toBeCloseTo(short.loss, 12);
    const [a, b, c] = masked.logpGrads[0];
    expect([a, c]).toEqual([...short.logpGrads[0]]);
    expect(b).toBe(0);
    expect([...(masked.entropyGrads?.[0] ?? [])][1]).toBe(0);
  }
});

it('masks whole completions without losing their place in the average', () => {
  const masked = sequence({ mask: [0, 0, 0], advantage: 5 });
  const settings: LossSettings = { ...LOSS_DEFAULTS, lossType: 'grpo' };
  const alone = policyLoss([sequence({})], settings, WINDOW);
  const both = policyLoss([sequence({}), masked], settings, WINDOW);
  expect(both.loss).toBeCloseTo(alone.loss / 2, 12);
  expect([...both.logpGrads[1]]).toEqual([0, 0, 0]);
  const none = policyLoss([masked], { ...settings, lossType: 'dapo' }, { ...WINDOW, tokens: 0 });
  expect(none.loss).toBe(0);
});

it('takes an advantage per token', () => {
  const result = policyLoss(
    [sequence({ advantage: [1, -2, 0] })],
    { ...LOSS_DEFAULTS, lossType: 'grpo' },
    WINDOW,
  );
  expect(result.loss).toBeCloseTo(1 / 3, 12);
  [-1 / 3, 2 / 3, 0].forEach((expected, i) => void expect(result.logpGrads[0][i]).toBeCloseTo(expected, 6));
});

it('holds the log-ratio to the reference and counts where', () => {
  const settings: LossSettings = { ...LOSS_DEFAULTS, lossType: 'grpo', beta: 1, klClamp: 5 };
  const far = sequence({ logps: [-900, -1], refLogps: [-1, -1], advantage: 0 });
  const { loss, logpGrads, statistics } = policyLoss([far], settings, WINDOW);
  expect(loss).toBeCloseTo((Math.exp(5) - 6) / 2, 6);
  expect([...logpGrads[0]].map(Math.abs)).toEqual([0, 0]);
  expect(statistics.metrics().kl_clamped).toBe(1);
});

it.each(['k1', 'k2', 'k3'] as const)('estimates the divergence by %s, with its gradient', (klEstimator) => {
  const settings: LossSettings = {
    ...LOSS_DEFAULTS,
    lossType: 'grpo',
    beta: 0.5,
    klEstimator,
    useBiasCorrectionKl: true,
  };
  const at = (logp: number) =>
    policyLoss(
      [sequence({ logps: [logp, -2], oldLogps: [-1.2, -2], refLogps: [-1.5, -2], advantage: 0 })],
      settings,
      WINDOW,
    );
  const r = -0.5;
  const value = { k1: -r, k2: r ** 2 / 2, k3: Math.exp(r) - r - 1 }[klEstimator];
  expect(at(-1).loss).toBeCloseTo((0.5 * value * Math.exp(0.2)) / 2, 12);
  const slope = (at(-1 + 1e-5).loss - at(-1 - 1e-5).loss) / 2e-5;
  expect(at(-1).logpGrads[0][0]).toBeCloseTo(slope, 6);
});

it('adds up statistics of micro-batches as one batch would', () => {
  const settings: LossSettings = { ...LOSS_DEFAULTS, lossType: 'grpo', beta: 0.1 };
  const [a, b] = [
    sequence({ oldLogps: [-3, -2, -0.4], refLogps: [-1, -1, -1] }),
    sequence({ logps: [-2, -3], oldLogps: [-1, -3], refLogps: [-2, -2], advantage: -1 }),
  ];
  const all = new LossStatistics(settings);
  for (const own of [a, b]) all.merge(policyLoss([own], settings, WINDOW).statistics);
  const together = policyLoss([a, b], settings, WINDOW).statistics.metrics();
  expect(all.metrics()).toEqual(together);
  expect(together['clip_ratio/high_mean']).toBeCloseTo(1 / 5, 12);
  expect(together['clip_ratio/low_mean']).toBeCloseTo(1 / 5, 12);
  expect(together['clip_ratio/high_max']).toBeCloseTo(1 / 3, 12);
});
