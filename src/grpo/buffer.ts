/** A round's completions in a checkpoint, so that a resumed run learns from the same ones. */

import type { PromptSet } from '../rollout/prompts.js';
import type { HostTensor, Json, SavedTaskState } from '../train/task.js';
import type { LearnedCompletion, LearnedGroup } from './learned.js';

/** A round in JSON and arrays. */
export interface StoredRound {
  readonly json: Json;
  readonly tensors: Readonly<Record<string, HostTensor>>;
}

/** Lists with one number per token that a completion may have. */
const TOKEN_LISTS = ['oldLogps', 'refLogps', 'values', 'returns'] as const;
const PREFIX = 'round.';

/** Lays all completions end to end. */
export function storeRound(groups: readonly LearnedGroup[]): StoredRound {
  const all = groups.flatMap(({ completions }) => completions);
  const tensors: Record<string, HostTensor> = {
    [`${PREFIX}ids`]: ints(joined(all.map(({ ids }) => ids))),
    [`${PREFIX}samplerLogps`]: floats(joined(all.map(({ samplerLogps }) => samplerLogps))),
  };
  for (const name of TOKEN_LISTS) {
    // Completions that are masked have no tokens, and no list.
    const lists = all.map((completion) => completion[name] ?? []);
    tensors[PREFIX + name] = floats(joined(lists));
  }
  const perToken = all.some(({ advantage }) => typeof advantage !== 'number');
  tensors[`${PREFIX}advantage`] = floats(
    joined(all.map(({ advantage }) => (typeof advantage === 'number' ? [advantage] : advantage))),
  );
  // What no completion has is not stored; nor is a round whose completions are all masked.
  for (const [name, { data }] of Object.entries(tensors)) if (data.length === 0) delete tensors[name];
  const json = {
    perToken,
    groups: groups.map(({ prompt, completions }) => ({
      place: prompt.place,
      lengths: completions.map(({ ids }) => ids.length),
    })),
  };
  return { json, tensors };
}

interface StoredJson {
  readonly perToken: boolean;
  readonly groups: readonly { readonly place: number; readonly lengths: readonly number[] }[];
}

/** Cuts them apart again, and asks for their prompts. */
export async function restoreRound(
  json: Json,
  saved: SavedTaskState,
  prompts: Pick<PromptSet, 'ask'>,
): Promise<LearnedGroup[]> {
  const { perToken, groups } = json as unknown as StoredJson;
  const names = new Set(saved.names());
  const lists = new Map<string, Reader>();
  for (const name of ['ids', 'samplerLogps', 'advantage', ...TOKEN_LISTS]) {
    if (names.has(PREFIX + name)) lists.set(name, new Reader((await saved.read(PREFIX + name)).data));
  }
  const take = (name: string, length: number) => {
    const data = lists.get(name)?.take(length);
    return data ? Float32Array.from(data) : null;
  };
  const asked = await Promise.all(groups.map(({ place }) => prompts.ask(place)));
  return groups.map(({ lengths }, i) => ({
    prompt: asked[i],
    completions: lengths.map((length): LearnedCompletion => {
      const advantage = take('advantage', perToken ? length : 1) ?? new Float32Array();
      return {
        ids: lists.get('ids')?.take(length) ?? [],
        samplerLogps: take('samplerLogps', length) ?? [],
        advantage: perToken ? advantage : advantage[0],
        oldLogps: take('oldLogps', length),
        refLogps: take('refLogps', length),
        values: take('values', length),
        returns: take('returns', length),
      };
    }),
  }));
}

class Reader {
  readonly #data: ArrayLike<number>;
  #at = 0;

  constructor(data: ArrayLike<number>) {
    this.#data = data;
  }

  take(length: number): number[] {
    const out = Array.prototype.slice.call(this.#data, this.#at, this.#at + length) as number[];
    this.#at += length;
    return out;
  }
}

function joined(lists: readonly ArrayLike<number>[]): number[] {
  return lists.flatMap((list) => Array.from(list));
}

function floats(values: readonly number[]): HostTensor {
  return { shape: [values.length], data: Float32Array.from(values) };
}

function ints(values: readonly number[]): HostTensor {
  return { shape: [values.length], data: Int32Array.from(values) };
}
