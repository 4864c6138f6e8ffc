/** Rewards as a config names them. */
import { z } from 'zod';
import { configError } from '../../train/config/index.js';
import type { RewardContext, RewardKind } from './kind.js';
import { inFolder } from './module.js';
import type { Reward } from './reward.js';
import { REWARD_KINDS, type RewardConfig } from './table.js';

/** The config's list: names, or names with settings. A union would not say which part of which entry is wrong. */
export const rewardsField = z.array(z.unknown().transform(readEntry)).min(1);

function readEntry(given: unknown, context: z.RefinementCtx): RewardConfig {
  const entry: unknown = typeof given === 'string' ? { name: given } : given;
  const { name } = Object(entry) as { name?: unknown };
  const kind = REWARD_KINDS.find((own) => own.name === name);
  const parsed = kind?.schema.safeParse(entry);
  if (parsed?.success) return parsed.data;
  const allowed = REWARD_KINDS.map((own) => own.name).join(', ');
  const message =
    kind && parsed ? problemOf(parsed.error, kind) : `names ${JSON.stringify(name)}; allowed are ${allowed}`;
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
}

function problemOf(error: z.ZodError, kind: RewardKind<RewardConfig>): string {
  const [issue] = error.issues;
  if (issue.code !== 'unrecognized_keys') return `has a bad "${issue.path.join('.')}": ${issue.message}`;
  const [key] = issue.keys;
  const others = REWARD_KINDS.filter(({ schema }) => Object.hasOwn(schema.shape, key)).map(
    ({ name }) => name,
  );
  if (others.length > 0) {
    return `has "${key}", which only ${others.join(' and ')} ${others.length > 1 ? 'take' : 'takes'}`;
  }
  return `has "${key}", which is no setting; known are ${Object.keys(kind.schema.shape).join(', ')}`;
}

/**
 * The list in the config of a run that began when every entry had the fields of all rewards: without those that are not
 * its own, which had no effect.
 */
export function earlierRewards(list: unknown): unknown {
  if (!Array.isArray(list)) return list;
  return list.map((entry: unknown) => {
    const kind = REWARD_KINDS.find(({ name }) => name === (Object(entry) as { name?: unknown }).name);
    if (!kind) return entry;
    const own = Object.entries(entry as object).filter(([key]) => Object.hasOwn(kind.schema.shape, key));
    const parsed = kind.schema.safeParse(Object.fromEntries(own));
    return parsed.success ? parsed.data : entry;
  });
}

/** The files of the modules among rewards; `folder` is that of the config. */
export function rewardFiles(configs: readonly RewardConfig[], folder: string): string[] {
  return configs.flatMap((config) => (config.name === 'module' ? inFolder(config.path, folder) : []));
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
    const kind = REWARD_KINDS.find(({ name }) => name === config.name) as RewardKind<RewardConfig>;
    const score = await kind.judge(config, context, refuse);
    const name = config.label ?? kind.label?.(config) ?? config.name;
    if (rewards.some((other) => other.name === name)) {
      refuse('label', `gives the name "${name}" again; give each reward a label of its own`);
    }
    rewards.push({ name, weight: config.weight, score });
  }
  if (rewards.every(({ weight }) => weight === 0)) {
    throw configError(`the config's "rewards"`, 'all have weight 0, which leaves nothing to learn from');
  }
  return rewards;
}
