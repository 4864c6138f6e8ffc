/** Rewards that users write: a module whose default export judges one completion. */
import { z } from 'zod';
import { configError } from '../../train/config/index.js';
import { entrySchema, type ImportModule, type RewardKind } from './kind.js';
import type { RewardResult, RewardSample } from './reward.js';

/** What a module's function gets. */
export interface UserRewardInput extends RewardSample {
  /** `options` of the config's entry. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** What a module's function gives: a number, null where it does not apply, or either with a reason. */
export type UserRewardOutput = number | null | { readonly value: number | null; readonly reason?: string };

/** The default export of a reward module. */
export type UserReward = (input: UserRewardInput) => UserRewardOutput | Promise<UserRewardOutput>;

const schema = entrySchema('module', {
  /** A TypeScript or JavaScript file, relative to the config, whose default export is the reward. */
  path: z.string('is missing; give the file of the reward').min(1),
  /** Handed to the reward as it is. */
  options: z.record(z.string(), z.unknown()).default({}),
});

/** A reward that a user wrote. */
export const moduleReward: RewardKind<z.output<typeof schema>> = {
  name: 'module',
  schema,
  label: ({ path }) => (path.split(/[/\\]/).at(-1) as string).replace(/\.[cm]?[jt]sx?$/, ''),
  judge: async ({ path, options }, { folder, importModule }) => {
    const score = await userFunction(modulePath(path, folder), importModule);
    return async (sample) => resultOf(await score({ ...sample, options }));
  },
};

/** Where the file of an entry is; paths are relative to the config's folder. */
export function modulePath(path: string, folder: string): string {
  const absolute = /^([/\\]|[A-Za-z]:)/.test(path);
  return absolute || folder === '' || folder === '.' ? path : `${folder}/${path}`;
}

async function userFunction(path: string, importModule: ImportModule): Promise<UserReward> {
  let module: unknown;
  try {
    module = await importModule(path);
  } catch (error) {
    throw configError(`reward module ${path}`, `cannot be loaded: ${(error as Error).message}`);
  }
  const found = (module as { default?: unknown } | null)?.default;
  if (typeof found === 'function') return found as UserReward;
  throw configError(
    `reward module ${path}`,
    'has no function as its default export; write export default ({ completion, record }) => 1',
  );
}

function resultOf(output: UserRewardOutput): RewardResult {
  if (output === null || typeof output === 'number') return { value: output, reason: '' };
  const { value, reason = '' } = output ?? {};
  if (value === null || typeof value === 'number') return { value, reason: String(reason) };
  throw new TypeError(`returned ${JSON.stringify(output)}; expected a number, null, or {value, reason}`);
}
