/** How the units of a step travel: prompts and gradients on the shelf, the rest in the unit. */
import type { Codec, Packet, PacketJson, Shelf } from '../exchange/index.js';
import { cutLists, joinLists } from '../exchange/index.js';
import type { Completion, FinishReason, GenerationRequest } from '../generate/index.js';
import type { Gpu } from '../gpu/index.js';
import type { Grid } from '../models/core/grid.js';
import { fromHost } from '../tensor/index.js';
import type { GrpoConfig } from './config.js';
import { type LaneInput, type LaneResult, LaneSums } from './lane.js';
import type { LearnedCompletion, PassPrompt, PromptCompletions } from './learned.js';
import type { ScoreInput, Scores } from './score.js';

/** A prompt's packet: ids, pictures, grids. */
function packPrompt({ ids, grids, images }: PassPrompt): Packet {
  return {
    json: { grids: grids as unknown as PacketJson, seen: images !== null },
    arrays: { ids: Int32Array.from(ids), pixels: images?.pixels ?? new Float32Array() },
  };
}

function unpackPrompt({ json, arrays }: Packet): PassPrompt {
  const { grids, seen } = json as unknown as { grids: Grid[]; seen: boolean };
  return {
    ids: arrays.ids as Int32Array<ArrayBuffer>,
    grids,
    images: seen ? { pixels: arrays.pixels as Float32Array, grids } : null,
  };
}

/** The object by which a prompt is known: its pictures where it has some, which are the same in all units of a round. */
function keyOf({ ids, images }: Pick<PassPrompt, 'ids' | 'images'>): object {
  return images?.pixels ?? ids;
}

/** Requests of a unit of rollouts. */
export const requestsCodec: Codec<readonly GenerationRequest[]> = {
  async pack(requests, shelf) {
    const list = [];
    for (const { ids, images, maxNewTokens, samples, sampling, seed, stream, step } of requests) {
      const prompt = { ids: Int32Array.from(ids), grids: images?.grids ?? [], images: images ?? null };
      const name = await shelf.put(images?.pixels ?? ids, () => packPrompt(prompt));
      list.push({ name, maxNewTokens, samples, sampling, seed: Number(seed ?? 0), stream, step });
    }
    return { json: JSON.parse(JSON.stringify(list)) as PacketJson, arrays: {} };
  },
  async unpack({ json }, shelf) {
    const requests: GenerationRequest[] = [];
    for (const { name, ...rest } of json as unknown as (GenerationRequest & { name: string })[]) {
      const { ids, images } = await shelf.take(name, unpackPrompt);
      requests.push({ ...rest, ids, ...(images ? { images } : {}) });
    }
    return requests;
  },
};

interface CompletionHead {
  readonly sample: number;
  readonly text: string | null;
  readonly finishReason: FinishReason;
}

/** Completions, by request, then by sample. */
export const completionsCodec: Codec<Completion[][]> = {
  async pack(groups) {
    const all = groups.flat();
    const ids = joinLists(all.map(({ tokenIds }) => tokenIds));
    const heads = all.map(({ sample, text, finishReason }) => ({ sample, text: text ?? null, finishReason }));
    return {
      json: { groups: groups.map(({ length }) => length), heads, lengths: ids.lengths },
      arrays: {
        ids: Int32Array.from(ids.values),
        // As they are: what a file keeps of them is rounded later.
        logprobs: Float64Array.from(joinLists(all.map(({ logprobs }) => logprobs)).values),
      },
    };
  },
  async unpack({ json, arrays }) {
    const { groups, heads, lengths } = json as unknown as {
      groups: number[];
      heads: CompletionHead[];
      lengths: number[];
    };
    const ids = cutLists(Array.from(arrays.ids), lengths);
    const logprobs = cutLists(Array.from(arrays.logprobs), lengths);
    const all = heads.map(
      ({ sample, text, finishReason }, i): Completion => ({
        sample,
        tokenIds: ids[i],
        logprobs: logprobs[i],
        ...(text === null ? {} : { text }),
        finishReason,
      }),
    );
    return cutLists(all, groups);
  },
};

/** Lists that a completion may have, one number per token each. */
const LISTS = ['oldLogps', 'refLogps', 'values', 'returns'] as const;

async function packGroups(groups: readonly PromptCompletions[], shelf: Shelf): Promise<Packet> {
  const all = groups.flatMap(({ completions }) => completions);
  const prompts = [];
  for (const { prompt } of groups) prompts.push(await shelf.put(keyOf(prompt), () => packPrompt(prompt)));
  const advantages = joinLists(
    all.map(({ advantage }) => (typeof advantage === 'number' ? [advantage] : advantage)),
  );
  const arrays: Record<string, Int32Array | Float64Array | Float32Array> = {
    ids: Int32Array.from(joinLists(all.map(({ ids }) => ids)).values),
    samplerLogps: Float64Array.from(joinLists(all.map(({ samplerLogps }) => samplerLogps)).values),
    advantages: Float64Array.from(advantages.values),
  };
  for (const name of LISTS) {
    arrays[name] = Float32Array.from(joinLists(all.map((completion) => completion[name] ?? [])).values);
  }
  return {
    json: {
      prompts,
      counts: groups.map(({ completions }) => completions.length),
      lengths: all.map(({ ids }) => ids.length),
      advantages: all.map(({ advantage }) => (typeof advantage === 'number' ? null : advantage.length)),
      lists: LISTS.map((name) => all.map((completion) => completion[name]?.length ?? null)),
    },
    arrays,
  };
}

interface GroupsHead {
  readonly prompts: string[];
  readonly counts: number[];
  readonly lengths: number[];
  readonly advantages: (number | null)[];
  readonly lists: (number | null)[][];
}

async function unpackGroups({ json, arrays }: Packet, shelf: Shelf): Promise<PromptCompletions[]> {
  const { prompts, counts, lengths, advantages, lists } = json as unknown as GroupsHead;
  const ids = cutLists(arrays.ids as Int32Array, lengths);
  const samplerLogps = cutLists(arrays.samplerLogps as Float64Array, lengths);
  const worth = cutLists(
    arrays.advantages as Float64Array,
    advantages.map((length) => length ?? 1),
  );
  const found = LISTS.map((name, k) => {
    const own = cutLists(
      arrays[name] as Float32Array,
      lists[k].map((length) => length ?? 0),
    );
    return own.map((list, i) => (lists[k][i] === null ? null : list));
  });
  const all = ids.map(
    (own, i): LearnedCompletion => ({
      ids: own,
      samplerLogps: samplerLogps[i],
      advantage: advantages[i] === null ? worth[i][0] : Float32Array.from(worth[i]),
      oldLogps: found[0][i],
      refLogps: found[1][i],
      values: found[2][i],
      returns: found[3][i],
    }),
  );
  const taken = await Promise.all(prompts.map((name) => shelf.take(name, unpackPrompt)));
  return cutLists(all, counts).map((completions, i) => ({ prompt: taken[i], completions }));
}

/** What is scored. */
export const scoreInputCodec: Codec<ScoreInput> = {
  async pack({ groups, policy }, shelf) {
    const { json, arrays } = await packGroups(groups, shelf);
    return { json: { groups: json, policy }, arrays };
  },
  async unpack({ json, arrays }, shelf) {
    const { groups, policy } = json as unknown as { groups: PacketJson; policy: boolean };
    return { groups: await unpackGroups({ json: groups, arrays }, shelf), policy };
  },
};

const SCORES = ['refLogps', 'oldLogps', 'values'] as const;

/** What was found. */
export const scoresCodec: Codec<(Scores | null)[]> = {
  async pack(all) {
    const lists = SCORES.map((name) => all.map((scores) => scores?.[name] ?? null));
    return {
      json: {
        there: all.map((scores) => scores !== null),
        lengths: lists.map((own) => own.map((list) => list?.length ?? null)),
      },
      arrays: Object.fromEntries(
        SCORES.map((name, k) => [
          name,
          Float32Array.from(joinLists(lists[k].map((list) => list ?? [])).values),
        ]),
      ),
    };
  },
  async unpack({ json, arrays }) {
    const { there, lengths } = json as unknown as { there: boolean[]; lengths: (number | null)[][] };
    const [refLogps, oldLogps, values] = SCORES.map((name, k) => {
      const own = cutLists(
        arrays[name] as Float32Array,
        lengths[k].map((length) => length ?? 0),
      );
      return own.map((list, i) => (lengths[k][i] === null ? null : list));
    });
    return there.map((is, i) =>
      is ? { refLogps: refLogps[i], oldLogps: oldLogps[i], values: values[i] } : null,
    );
  },
};

/** What a lane learns from. */
export const laneInputCodec: Codec<LaneInput> = {
  async pack({ groups, step, firstBatch, window, beta, stepTokens, onPolicy }, shelf) {
    const { json, arrays } = await packGroups(groups, shelf);
    return {
      json: { groups: json, step, firstBatch, onPolicy },
      arrays: {
        ...arrays,
        numbers: Float64Array.of(
          window.accumulation,
          window.tokens,
          window.maxCompletionLength,
          stepTokens,
          beta,
        ),
      },
    };
  },
  async unpack({ json, arrays }, shelf) {
    const { groups, ...rest } = json as unknown as Pick<LaneInput, 'step' | 'firstBatch' | 'onPolicy'> & {
      groups: PacketJson;
    };
    const [accumulation, tokens, maxCompletionLength, stepTokens, beta] = arrays.numbers;
    return {
      ...rest,
      groups: await unpackGroups({ json: groups, arrays }, shelf),
      window: { accumulation, tokens, maxCompletionLength },
      stepTokens,
      beta,
    };
  },
};

/** What came of a lane; each gradient travels by itself. */
export function laneResultCodec(config: GrpoConfig, gpu: Gpu): Codec<LaneResult> {
  return {
    async pack({ sums, gradients }, shelf) {
      const places: [string, string, readonly number[]][] = [];
      for (const [name, tensor] of gradients) {
        const values = await tensor.data();
        const place = await shelf.put(tensor, () => ({ json: null, arrays: { values } }));
        places.push([name, place, tensor.shape]);
      }
      return { json: places, arrays: { sums: Float64Array.from(sums.toNumbers()) } };
    },
    async unpack({ json, arrays }, shelf) {
      const gradients = new Map();
      for (const [name, place, shape] of json as unknown as [string, string, number[]][]) {
        const { values } = (await shelf.fetch(place)).arrays;
        gradients.set(name, fromHost(gpu, values as Float32Array, shape, 'f32', 'gradients').keep());
      }
      return { sums: LaneSums.fromNumbers(config, Array.from(arrays.sums)), gradients };
    },
  };
}
