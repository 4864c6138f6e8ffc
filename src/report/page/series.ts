/** Which curves to draw from the metrics of a run. */
import type { MetricRow, StepTally } from '../model.js';

/** One line. */
export interface Curve {
  readonly label: string;
  readonly values: readonly (number | null)[];
  /** Drawn as points that are joined: measured now and then, such as on held-out data. */
  readonly sparse?: boolean;
}

/** A chart. */
export interface Panel {
  readonly id: string;
  readonly title: string;
  /** What it means, in a sentence. */
  readonly help: string;
  readonly curves: readonly Curve[];
  /** Range around the first curve. */
  readonly band?: { readonly low: readonly (number | null)[]; readonly high: readonly (number | null)[] };
  /** Curves add up, each on top of the one before. */
  readonly stacked?: boolean;
  /** Ends of the vertical axis that are always in view. */
  readonly include?: readonly number[];
  /** How values read. */
  readonly unit?: 'share' | 'seconds' | 'tokens';
}

/** Charts of a run and the steps that they share. */
export interface Panels {
  readonly steps: readonly number[];
  /** What a reader looks at first. */
  readonly main: readonly Panel[];
  /** One chart for every other metric. */
  readonly others: readonly Panel[];
}

type Values = readonly (number | null)[];

/** Lays out the curves; charts without any value are left out. */
export function panelsOf(rows: readonly MetricRow[], tallies: readonly StepTally[]): Panels {
  const steps = [...new Set([...rows, ...tallies].map(({ step }) => step))].sort((a, b) => a - b);
  const place = new Map(steps.map((step, i) => [step, i]));
  const columns = new Map<string, (number | null)[]>();
  for (const row of rows) {
    for (const [name, value] of Object.entries(row)) {
      if (name === 'step') continue;
      const column = columns.get(name) ?? steps.map(() => null as number | null);
      columns.set(name, column);
      column[place.get(row.step) as number] = Number.isFinite(value) ? value : null;
    }
  }
  const used = new Set<string>();
  const take = (name: string): Values | undefined => {
    if (columns.has(name)) used.add(name);
    return columns.get(name);
  };
  const curve = (label: string, ...names: string[]): Curve[] => {
    const name = names.find((candidate) => columns.has(candidate));
    const values = name === undefined ? undefined : take(name);
    return values === undefined ? [] : [{ label, values, sparse: isSparse(values) }];
  };
  const matching = (pattern: RegExp) =>
    [...columns.keys()].filter((name) => pattern.test(name) && !used.has(name)).sort();
  const all = (pattern: RegExp): Curve[] =>
    matching(pattern).flatMap((name) => curve(pattern.exec(name)?.[1] ?? name, name));

  const spread = take('reward_std');
  const reward = curve('reward', 'reward');
  const parts = all(/^rewards\/(.+)\/mean$/);
  for (const name of matching(/^rewards\/(.+)\/std$/)) used.add(name);
  const length = curve('mean', 'completions/mean_length');
  const [shortest, longest] = [take('completions/min_length'), take('completions/max_length')];
  // What the trainer counted is the same as what can be counted from the completions.
  const counted = rolloutAccuracy(steps, place, tallies);
  if (counted.length > 0) take('completions/accuracy');
  for (const name of matching(/^completions\/(?:min|max)_terminated_length$/)) used.add(name);
  const tokenAccuracy = [
    ...curve('training', 'mean_token_accuracy'),
    ...curve('held out', 'eval/mean_token_accuracy'),
  ];
  const main: Panel[] = [
    {
      id: 'reward',
      title: 'Reward',
      help: 'Mean over the completions of a step; the band is one standard deviation.',
      curves: reward,
      ...(reward[0] && spread && { band: around(reward[0].values, spread) }),
    },
    {
      id: 'rewards',
      title: 'Rewards by function',
      help: 'Mean of each reward function before weighting.',
      curves: parts,
    },
    {
      id: 'accuracy',
      title: 'Accuracy',
      help: 'Share of right answers: sampled rollouts on training questions, and evaluations on held-out ones.',
      curves: [
        ...(counted.length > 0 ? counted : curve('rollouts', 'completions/accuracy')),
        ...all(/^(eval\/.*accuracy.*)$/),
      ],
      include: [0, 1],
      unit: 'share',
    },
    {
      id: 'token-accuracy',
      title: 'Token accuracy',
      help: 'Share of the target tokens that the model holds for the most likely one.',
      curves: tokenAccuracy,
      include: [0, 1],
      unit: 'share',
    },
    {
      id: 'kl',
      title: 'KL from the reference',
      help: 'How far the policy has moved from where it began, per token (k3 estimate).',
      curves: curve('kl', 'kl'),
      include: [0],
    },
    {
      id: 'entropy',
      title: 'Entropy',
      help: 'Uncertainty of the next token in nats; a fall to zero is a collapse.',
      curves: curve('entropy', 'entropy'),
      include: [0],
    },
    {
      id: 'length',
      title: 'Completion length',
      help: 'Tokens per completion; the band is from the shortest to the longest of a step.',
      curves: [...length, ...curve('mean of those that ended', 'completions/mean_terminated_length')],
      ...(length[0] && shortest && longest && { band: { low: shortest, high: longest } }),
      include: [0],
      unit: 'tokens',
    },
    {
      id: 'phases',
      title: 'Time by phase',
      help: 'Seconds of a step, one phase on top of the other.',
      curves: largestLast(all(/^time\/(.+)$/)),
      stacked: true,
      include: [0],
      unit: 'seconds',
    },
    {
      id: 'loss',
      title: 'Loss',
      help: 'On-policy, the policy loss is near zero by construction: read it together with reward and KL.',
      curves: [...curve('loss', 'loss'), ...curve('policy', 'policy_loss'), ...all(/^(eval\/.*loss)$/)],
    },
    {
      id: 'gradient',
      title: 'Gradient norm',
      help: 'Norm of all gradients before clipping.',
      curves: curve('gradient norm', 'grad_norm'),
      include: [0],
    },
    {
      id: 'signal',
      title: 'Groups without a signal',
      help: 'Share of groups whose completions all have the same reward, and of completions cut at the length limit.',
      curves: [
        ...curve('zero spread', 'frac_reward_zero_std'),
        ...curve('cut off', 'completions/clipped_ratio'),
      ],
      include: [0, 1],
      unit: 'share',
    },
    {
      id: 'form',
      title: 'Form of the answers',
      help: 'Share of completions without an answer tag, with several, and cut off before one.',
      curves: [
        ...curve('no tag', 'completions/no_tag'),
        ...curve('several', 'completions/multi_tag'),
        ...curve('cut off', 'completions/truncated'),
      ],
      include: [0, 1],
      unit: 'share',
    },
    {
      id: 'modalities',
      title: 'Reward by modality',
      help: 'Mean over the completions of a step on questions of a modality; gaps are steps without any.',
      curves: all(/^reward_by_modality\/(.+)$/),
    },
    {
      id: 'clipping',
      title: 'Clipped tokens',
      help: 'Share of tokens whose probability ratio left the trust region; zero while every step is on-policy.',
      curves: [
        ...curve('low', 'clip_ratio/low_mean'),
        ...curve('high', 'clip_ratio/high_mean'),
        ...curve('either', 'clip_ratio/region_mean'),
      ],
      include: [0],
      unit: 'share',
    },
    {
      id: 'throughput',
      title: 'Throughput',
      help: 'Tokens a second over the whole step.',
      curves: curve('tokens/s', 'tokens_per_second'),
      include: [0],
    },
    {
      id: 'rate',
      title: 'Learning rate',
      help: 'As the schedule set it.',
      curves: curve('learning rate', 'learning_rate'),
      include: [0],
    },
  ];
  const others = [...columns.keys()]
    .filter((name) => !used.has(name))
    .sort()
    .map((name): Panel => ({ id: name, title: name, help: '', curves: curve(name, name) }));
  return { steps, main: main.filter(hasValues), others: others.filter(hasValues) };
}

function hasValues({ curves }: Panel): boolean {
  return curves.some(({ values }) => values.some((value) => value !== null));
}

/** Evaluations are; a modality that is missing from some steps is not. */
function isSparse(values: Values): boolean {
  return values.filter((value) => value !== null).length < values.length / 4;
}

function around(values: Values, spread: Values): NonNullable<Panel['band']> {
  const shifted = (sign: number) =>
    values.map((value, i) => (value === null ? null : value + sign * (spread[i] ?? 0)));
  return { low: shifted(-1), high: shifted(1) };
}

function rolloutAccuracy(
  steps: readonly number[],
  place: ReadonlyMap<number, number>,
  tallies: readonly StepTally[],
): Curve[] {
  if (tallies.length === 0) return [];
  const n = steps.map(() => 0);
  const right = steps.map(() => 0);
  for (const tally of tallies) {
    const at = place.get(tally.step) as number;
    n[at] = (n[at] as number) + tally.n;
    right[at] = (right[at] as number) + tally.correct;
  }
  const values = n.map((count, i) => (count === 0 ? null : (right[i] as number) / count));
  return [{ label: 'rollouts', values, sparse: isSparse(values) }];
}

/** The longest phase at the bottom of the stack: the first is drawn lowest. */
function largestLast(curves: readonly Curve[]): Curve[] {
  const total = ({ values }: Curve) => values.reduce<number>((sum, value) => sum + (value ?? 0), 0);
  return [...curves].sort((a, b) => total(b) - total(a));
}

/** Exponential moving average that does not lean to its first value; weight 0 gives the values themselves. */
export function smoothed(values: Values, weight: number): (number | null)[] {
  let sum = 0;
  let mass = 0;
  return values.map((value) => {
    if (value === null) return null;
    sum = weight * sum + (1 - weight) * value;
    mass = weight * mass + (1 - weight);
    return sum / mass;
  });
}

/** Mean of the first and of the last tenth of a metric; undefined without values. */
export function endsOf(
  rows: readonly MetricRow[],
  name: string,
): { first: number; last: number } | undefined {
  const values = rows
    .map((row) => row[name])
    .filter((value) => value !== undefined && Number.isFinite(value));
  if (values.length === 0) return undefined;
  const tenth = Math.max(1, Math.round(values.length / 10));
  const mean = (some: readonly (number | undefined)[]) =>
    some.reduce<number>((sum, value) => sum + (value as number), 0) / some.length;
  return { first: mean(values.slice(0, tenth)), last: mean(values.slice(-tenth)) };
}
