/** Rewards that users write: a module whose default export judges one completion. */
import { z } from 'zod';
import { helpersIfAny } from '../../platform/current.js';
import { configError } from '../../train/config/index.js';
import type { Json } from '../../train/task.js';
import { callableModule } from './call-module.js';
import { entrySchema, type ImportModule, type RewardKind } from './kind.js';
import type { Logged } from './module-messages.js';
import { ModuleProcess } from './module-process.js';
import type { RewardResult, RewardSample } from './reward.js';
import type { RewardModule, UserRewardInput, UserRewardOutput } from './user-reward.js';

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
    const file = inFolder(path, folder);
    const module = importModule ? await moduleHere(file, importModule) : await moduleApart(file, timeout);
    const many = async (samples: readonly RewardSample[]) => {
      const { output, logged } = await module.judge(samples.map((sample) => ({ ...sample, options })));
      return resultsOf(module.batched ? output : [output], logged, samples.length);
    };
    const score = async (sample: RewardSample) => (await many([sample]))[0] as RewardResult;
    return Object.assign(score, { close: module.close, ...(module.batched ? { many } : {}) });
  },
};

/** Judges samples, however the module is run. */
interface ModuleJudge {
  /** Whether it takes many samples at once. */
  readonly batched: boolean;
  judge(inputs: readonly UserRewardInput[]): Promise<{ readonly output: unknown; readonly logged: Logged }>;
  close?(): void;
}

/** Where a path of an entry leads; paths are relative to the config's folder. */
export function inFolder(path: string, folder: string): string {
  const absolute = /^([/\\]|[A-Za-z]:)/.test(path);
  return absolute || folder === '' || folder === '.' ? path : `${folder}/${path}`;
}

/** Runs a module in a process of its own. */
async function moduleApart(path: string, seconds: number): Promise<ModuleJudge> {
  const helpers = helpersIfAny();
  if (!helpers)
    throw configError(`reward module ${path}`, 'needs an importModule, as this platform starts no processes');
  const process = await loaded(path, () => ModuleProcess.open(helpers, path, seconds));
  return {
    batched: process.batched,
    judge: (inputs) => process.judge(inputs),
    close: () => process.end(),
  };
}

/** Runs a module in this process. */
async function moduleHere(path: string, importModule: ImportModule): Promise<ModuleJudge> {
  const module = await loaded(path, async () =>
    callableModule((await importModule(path)) as RewardModule | null),
  );
  return {
    batched: module.batched,
    judge: async (inputs) => {
      const { output, logged } = module.call(structuredClone(inputs));
      return { output: await output, logged };
    },
  };
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

/** What a module gave, by sample; what it logged goes with the first, and a column's list with each. */
function resultsOf(output: unknown, { metrics, extras }: Logged, count: number): RewardResult[] {
  if (!Array.isArray(output) || output.length !== count) {
    const got = Array.isArray(output) ? `a list of ${output.length}` : JSON.stringify(output);
    throw new TypeError(`returned ${got}; a batched reward returns a list of ${count}, one for each input`);
  }
  for (const [column, values] of extras) {
    if (count > 1 && (!Array.isArray(values) || values.length !== count)) {
      throw new TypeError(`logs column "${column}" without a list of ${count} values, one for each input`);
    }
  }
  return output.map((one: unknown, i) => {
    const columns = extras.map(([name, value]) => [
      name,
      jsonOf(Array.isArray(value) && count > 1 ? value[i] : value),
    ]);
    return {
      ...resultOf(one),
      ...(metrics.length > 0 && i === 0 ? { logged: metrics } : {}),
      ...(columns.length > 0 ? { extra: Object.fromEntries(columns) as Record<string, Json> } : {}),
    };
  });
}

/** What JSON makes of a value. */
function jsonOf(value: unknown): Json {
  return JSON.parse(JSON.stringify(value ?? null)) as Json;
}

function resultOf(output: unknown): RewardResult {
  if (output === null || typeof output === 'number') return { value: output, reason: '' };
  const { value, reason = '' } = Object(output) as Exclude<UserRewardOutput, number | null>;
  if (value === null || typeof value === 'number') return { value, reason: String(reason) };
  throw new TypeError(`returned ${JSON.stringify(output)}; expected a number, null, or {value, reason}`);
}
