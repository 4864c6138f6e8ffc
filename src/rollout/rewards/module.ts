/** Rewards that users write: a module whose default export judges one completion. */
import { z } from 'zod';
import { helpersIfAny } from '../../platform/current.js';
import { configError } from '../../train/config/index.js';
import { deepFreeze } from './frozen.js';
import { entrySchema, type ImportModule, type RewardKind } from './kind.js';
import { ModuleProcess } from './module-process.js';
import type { RewardResult, RewardSample } from './reward.js';
import type { UserReward, UserRewardInput, UserRewardOutput } from './user-reward.js';

const schema = entrySchema('module', {
  /** A TypeScript or JavaScript file, relative to the config, whose default export is the reward. */
  path: z.string('is missing; give the file of the reward').min(1),
  /** Handed to the reward as it is. */
  options: z.record(z.string(), z.unknown()).default({}),
  /** Seconds without an answer after which it has failed. */
  timeout: z.number().positive().max(1e6).default(60),
});

/** A reward that a user wrote. */
export const moduleReward: RewardKind<z.output<typeof schema>> = {
  name: 'module',
  schema,
  label: ({ path }) => (path.split(/[/\\]/).at(-1) as string).replace(/\.[cm]?[jt]sx?$/, ''),
  judge: async ({ path, options, timeout }, { folder, importModule }) => {
    const file = modulePath(path, folder);
    const judge = importModule ? await judgeHere(file, importModule) : await judgeApart(file, timeout);
    const score = async (sample: RewardSample) => resultOf(await judge({ ...sample, options }));
    return Object.assign(score, { close: judge.close });
  },
};

/** Judges a sample, however the module is run. */
interface ModuleJudge {
  (input: UserRewardInput): Promise<unknown>;
  close?(): void;
}

/** Where the file of an entry is; paths are relative to the config's folder. */
export function modulePath(path: string, folder: string): string {
  const absolute = /^([/\\]|[A-Za-z]:)/.test(path);
  return absolute || folder === '' || folder === '.' ? path : `${folder}/${path}`;
}

/** Runs a module in a process of its own. */
async function judgeApart(path: string, seconds: number): Promise<ModuleJudge> {
  const helpers = helpersIfAny();
  if (!helpers)
    throw configError(`reward module ${path}`, 'needs an importModule, as this platform starts no processes');
  const process = await loaded(path, () => ModuleProcess.open(helpers, path, seconds));
  return Object.assign((input: UserRewardInput) => process.judge(input), { close: () => process.end() });
}

/** Runs a module in this process. */
async function judgeHere(path: string, importModule: ImportModule): Promise<ModuleJudge> {
  const judge = await loaded(path, async () => {
    const found = ((await importModule(path)) as { default?: unknown } | null)?.default;
    return typeof found === 'function' ? (found as UserReward) : undefined;
  });
  return async (input) => judge(deepFreeze(structuredClone(input)));
}

/** What loading a module gives; undefined stands for a module without a function. */
async function loaded<T>(path: string, load: () => Promise<T | undefined>): Promise<T> {
  let found: T | undefined;
  try {
    found = await load();
  } catch (error) {
    throw configError(`reward module ${path}`, `cannot be loaded: ${(error as Error).message}`);
  }
  if (found !== undefined) return found;
  throw configError(
    `reward module ${path}`,
    'has no function as its default export; write export default ({ completion, record }) => 1',
  );
}

function resultOf(output: unknown): RewardResult {
  if (output === null || typeof output === 'number') return { value: output, reason: '' };
  const { value, reason = '' } = Object(output) as Exclude<UserRewardOutput, number | null>;
  if (value === null || typeof value === 'number') return { value, reason: String(reason) };
  throw new TypeError(`returned ${JSON.stringify(output)}; expected a number, null, or {value, reason}`);
}
