/** What leaders and workers say to each other. Whoever reads checks: a server may have other users. */
import { z } from 'zod';
import { UNIT_KINDS } from '../exchange.js';
import type { PacketJson } from '../packet.js';

const digest = z.string().regex(/^[0-9a-f]{64}$/);
const whole = z.int().nonnegative();

/** What a run is, for workers to decide whether they can do its units. */
export const ANNOUNCEMENT = z.object({
  run: z.string().regex(/^[\w-]+$/),
  /** Version of Osler, and the kind of training. */
  osler: z.string(),
  task: z.string(),
  /** Adapter, driver and tier: other ones round otherwise. */
  fingerprint: z.string(),
  /** The config, complete, and its digest. */
  config: z.record(z.string(), z.json()),
  configDigest: digest,
  /** Digests of the model's files, by the path that the config leads to. */
  files: z.record(z.string(), digest),
  /** Variants of kernels; see the tuner. */
  kernels: z.record(z.string(), z.json()),
  /** What the task's units need to know besides. */
  task_setting: z.json(),
});

/** See {@link ANNOUNCEMENT}. */
export type Announcement = z.output<typeof ANNOUNCEMENT>;

/** A unit in the queue. */
export const QUEUED = z.object({
  step: z.int().positive(),
  kind: z.enum(UNIT_KINDS),
  index: whole,
  /** Digest of the weights and the input: what the result is a function of. */
  id: digest,
  /** Digest of the list of weights. */
  weights: digest,
  /** Name of the input on the shelf. */
  input: z.string(),
  /** 0 for the result that counts, else the number of a computation that it is compared with. */
  check: whole,
  /** Workers that are not to do it: they did it before, or failed at it. */
  without: z.array(z.string()),
});

/** See {@link QUEUED}. */
export type Queued = z.output<typeof QUEUED>;

/** A version's weights: digest and place by name. */
export const VERSION_LIST = z.array(z.tuple([z.string(), digest, z.string()]));

/** A worker's sign of life. */
export const WORKER_BEAT = z.object({
  worker: z.string(),
  host: z.string(),
  fingerprint: z.string(),
  state: z.enum(['loading', 'idle', 'working', 'leaving']),
  /** The unit in work, and for how many seconds. */
  unit: z.string().nullable(),
  seconds: z.number(),
  done: whole,
  failed: whole,
  /** Seconds in which units were worked on, and bytes that came and went. */
  busy: z.number(),
  bytes: whole,
});

/** See {@link WORKER_BEAT}. */
export type WorkerBeat = z.output<typeof WORKER_BEAT>;

/** A leader's. */
export const LEADER_BEAT = z.object({
  run: z.string(),
  /** Digest of the announcement: another one is another run, or the same resumed with other settings. */
  announcement: digest,
  state: z.enum(['running', 'ended']),
  /** Workers that are put out. */
  out: z.array(z.string()),
});

/** See {@link LEADER_BEAT}. */
export type LeaderBeat = z.output<typeof LEADER_BEAT>;

/** A result that was not the first one. */
export const TWIN = z.object({ unit: z.string(), digest, first: digest, worker: z.string() });

/** A worker that was not let in. */
export const REFUSAL = z.object({ worker: z.string(), problem: z.string() });

/** A unit that failed, once. */
export const FAILURE = z.object({ worker: z.string(), problem: z.string() });

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A message's bytes. */
export function toBytes(value: PacketJson): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

/** The message that bytes hold; undefined if they hold none of the kind. */
export function fromBytes<T>(schema: z.ZodType<T>, bytes: Uint8Array): T | undefined {
  try {
    return schema.parse(JSON.parse(decoder.decode(bytes)));
  } catch {
    return undefined;
  }
}
