/** What a built-in reward is made of: the entry that a config gives it, and the judge that the entry makes. */
import { z } from 'zod';
import type { AnswerStyle } from '../../data/index.js';
import type { Judge } from './reward.js';

/** Loads a module given by path, into this process. */
export type ImportModule = (path: string) => Promise<unknown>;

/** What rewards need to know of the run. */
export interface RewardContext {
  readonly style: AnswerStyle | 'custom';
  readonly maxCompletionLength: number;
  /** Folder of the config, which modules are relative to. */
  readonly folder: string;
  /** Variables of the environment, where keys of endpoints are. */
  readonly environment?: (name: string) => string | undefined;
  /** Loads modules into this process; by default each has a process of its own, where the platform has helpers. */
  readonly importModule?: ImportModule;
}

/** Says what is wrong with a field of the entry. */
export type Refuse = (field: string, problem: string) => never;

/** An entry of `rewards` with the fields that all have. */
export function entrySchema<const Name extends string, Fields extends z.ZodRawShape>(
  name: Name,
  fields: Fields,
) {
  return z.strictObject({
    name: z.literal(name),
    /** Factor on what the reward gives before rewards are added. */
    weight: z.number().default(1),
    /** Name in metrics; that of the reward, or of the module's file, by default. */
    label: z.string().min(1).nullable().default(null),
    ...fields,
  });
}

/** What every entry has. */
export interface EntryBase {
  readonly name: string;
  readonly weight: number;
  readonly label: string | null;
}

/** A built-in reward. */
export interface RewardKind<Entry extends EntryBase = EntryBase> {
  /** What configs call it. */
  readonly name: Entry['name'];
  /** Made by {@link entrySchema}. */
  readonly schema: z.ZodType<Entry> & { readonly shape: Readonly<Record<string, unknown>> };
  /** Makes the judge of an entry; refuses what cannot work in this run. */
  judge(entry: Entry, context: RewardContext, refuse: Refuse): Judge | Promise<Judge>;
  /** Its name in metrics where the entry has no label; `name` by default. */
  label?(entry: Entry): string;
}
