/** Rewards as a config names them. */
import { z } from 'zod';
import type { AnswerStyle } from '../../data/index.js';
import { configError } from '../../train/config/index.js';
import { accuracy, consistency, format, REWARD_MODES, type RewardMode, type RewardStyle } from './answers.js';
import type { Reward } from './reward.js';
import { lengthInBand, overlong, repetition } from './shape.js';
import { type ImportModule, moduleReward } from './user.js';

const count = z.int().positive();
const common = {
  /** Factor on what the reward gives before rewards are added. */
  weight: z.number().default(1),
};
const mode = z.enum(REWARD_MODES).default('robust');

/** Names of the rewards that Osler has. */
export const REWARD_NAMES = [
  'accuracy',
  'format',
  'consistency',
  'length',
  'overlong',
  'repetition',
  'module',
] as const;

/** One entry of `rewards`. */
const rewardSchema = z.strictObject({
  ...common,
  name: z.enum(REWARD_NAMES),
  /** `accuracy` and `format`: as Med-R1's code has it, or as a careful reader. */
  mode,
  /** `format`: the order that is wanted; that of `answer_style` by default. */
  style: z.enum(['think', 'no-think', 'think-after']).nullable().default(null),
  /** `length`: lengths that give the full reward, in tokens. */
  min_tokens: z.int().nonnegative().default(0),
  max_tokens: count.nullable().default(null),
  /** `overlong`: tokens before the cap over which the punishment grows. */
  cache_tokens: count.nullable().default(null),
  /** `repetition`: tokens of an n-gram, and the value where all repeat. */
  ngram_size: count.default(3),
  max_penalty: z.number().max(0).default(-1),
  /** `module`: a TypeScript or JavaScript file, relative to the config, whose default export is the reward. */
  path: z.string().min(1).nullable().default(null),
  /** `module`: handed to the reward as it is. */
  options: z.record(z.string(), z.unknown()).default({}),
  /** Name in metrics; that of the reward, or of the module's file, by default. */
  label: z.string().min(1).nullable().default(null),
});

/** One reward of a config. */
export type RewardConfig = z.output<typeof rewardSchema>;

const ONLY_FOR: Readonly<Record<string, readonly string[]>> = {
  mode: ['accuracy', 'format'],
  style: ['format'],
  min_tokens: ['length'],
  max_tokens: ['length'],
  cache_tokens: ['overlong'],
  ngram_size: ['repetition'],
  max_penalty: ['repetition'],
  path: ['module'],
  options: ['module'],
};

/** The config's list: names, or names with settings. A union would not say which part of which entry is wrong. */
export const rewardsField = z.array(z.unknown().transform(readEntry)).min(1);

function readEntry(given: unknown, context: z.RefinementCtx): RewardConfig {
  const entry = typeof given === 'string' ? { name: given } : given;
  const parsed = rewardSchema.safeParse(entry);
  const { name, ...settings } = Object(entry) as Record<string, unknown>;
  const foreign = Object.keys(settings).find((key) => ONLY_FOR[key]?.includes(String(name)) === false);
  if (parsed.success && foreign === undefined) return parsed.data;
  const message = parsed.success
    ? `has "${foreign}", which only ${ONLY_FOR[foreign as string].join(' and ')} takes`
    : problemOf(parsed.error, name);
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
}

function problemOf(error: z.ZodError, name: unknown): string {
  const [issue] = error.issues;
  if (issue.path[0] === 'name')
    return `names ${JSON.stringify(name)}; allowed are ${REWARD_NAMES.join(', ')}`;
  if (issue.code === 'unrecognized_keys') {
    return `has "${issue.keys[0]}", which is no setting; known are ${Object.keys(rewardSchema.shape).join(', ')}`;
  }
  return `has a bad "${issue.path.join('.')}": ${issue.message}`;
}

/** What rewards need to know of the run. */
export interface RewardContext {
  readonly style: AnswerStyle | 'custom';
  readonly maxCompletionLength: number;
  /** Folder of the config, which modules are relative to. */
  readonly folder: string;
  readonly importModule: ImportModule;
}

/** Builds the rewards of a config, loading modules; refuses what cannot work. */
export async function buildRewards(
  configs: readonly RewardConfig[],
  context: RewardContext,
): Promise<Reward[]> {
  const rewards: Reward[] = [];
  for (const [i, config] of configs.entries()) {
    const refuse = (field: string, problem: string): never => {
      throw configError(`the config's "rewards.${i}.${field}"`, problem);
    };
    const reward = await build(config, context, refuse);
    if (rewards.some(({ name }) => name === reward.name)) {
      refuse('label', `gives the name "${reward.name}" again; give each reward a label of its own`);
    }
    rewards.push(reward);
  }
  if (rewards.every(({ weight }) => weight === 0)) {
    throw configError(`the config's "rewards"`, 'all have weight 0, which leaves nothing to learn from');
  }
  return rewards;
}

async function build(
  config: RewardConfig,
  context: RewardContext,
  refuse: (field: string, problem: string) => never,
): Promise<Reward> {
  const base = { name: config.label ?? config.name, weight: config.weight };
  switch (config.name) {
    case 'accuracy':
      return { ...base, score: (sample) => accuracy(sample, config.mode) };
    case 'format': {
      const style = styleOf(config, context, refuse);
      return { ...base, score: (sample) => format(sample, config.mode, style) };
    }
    case 'consistency':
      return { ...base, score: consistency };
    case 'length': {
      const band = {
        minTokens: config.min_tokens,
        maxTokens: config.max_tokens ?? context.maxCompletionLength,
      };
      if (band.minTokens > band.maxTokens) {
        refuse('min_tokens', `is ${band.minTokens}, over max_tokens ${band.maxTokens}`);
      }
      return { ...base, score: (sample) => lengthInBand(sample, band) };
    }
    case 'overlong': {
      const most = context.maxCompletionLength;
      const cache = config.cache_tokens ?? Math.max(1, Math.round(most / 5));
      if (cache > most) refuse('cache_tokens', `is ${cache}, over max_completion_length ${most}`);
      return { ...base, score: (sample) => overlong(sample, most, cache) };
    }
    case 'repetition':
      return { ...base, score: (sample) => repetition(sample, config.ngram_size, config.max_penalty) };
    case 'module': {
      const { path } = config;
      if (path === null) return refuse('path', 'is missing; give the file of the reward');
      return moduleReward(
        { path, label: config.label, weight: config.weight, options: config.options },
        context,
      );
    }
  }
}

function styleOf(
  config: RewardConfig,
  { style }: RewardContext,
  refuse: (field: string, problem: string) => never,
): RewardStyle {
  const wanted = config.style ?? style;
  if (wanted === 'custom' || wanted === 'zero-shot') {
    return refuse(
      'style',
      `is missing, and answer_style ${wanted} asks for no tags; name one of think, no-think, think-after`,
    );
  }
  if (wanted === 'think-after' && config.mode === ('paper' satisfies RewardMode)) {
    return refuse('mode', 'is paper, but the paper published no format for think-after; use robust');
  }
  return wanted;
}
