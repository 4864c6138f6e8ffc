/**
 * Units of work. What a step computes is cut into units by the config alone, never by who is there to do them: a unit's
 * result is a function of its input and of the weights, and results are taken in the order of the units. So it does not
 * matter where a unit is done, nor when.
 */
import type { Packet } from './packet.js';

/**
 * Kinds of units: `rollout` draws completions of a fixed set of prompts, `score` makes passes from which nothing is learned,
 * `lane` learns from a fixed run of micro-batches.
 */
export const UNIT_KINDS = ['rollout', 'score', 'lane'] as const;

/** See {@link UNIT_KINDS}. */
export type UnitKind = (typeof UNIT_KINDS)[number];

/** How far something is that takes long. */
export interface PartProgress {
  /** What is counted, in the plural: `rollout tokens`, `micro-batches`. */
  readonly what: string;
  readonly done: number;
  /** How many there will be; an estimate where `about` is set. */
  readonly of: number;
  readonly about?: boolean;
}

/** Where a unit is done, seen from the work. */
export interface WorkContext {
  /** Aborted when nobody waits for the result any more. */
  readonly signal: AbortSignal;
  /** Times a part of the work; see `EvaluationContext` of the training loop. */
  phase<T>(name: string, body: () => T | Promise<T>): Promise<T>;
  /** Tells whoever watches how far the work is. */
  progress?(part: PartProgress): void;
}

/** Packets that travel apart from what they belong to: what several units have in common, and what is large. */
export interface Shelf {
  /** Puts a packet there; returns the name to take it by. For the same object it is packed once in a step. */
  put(key: object, pack: () => Packet): Promise<string>;
  /** The packet of a name. */
  fetch(name: string): Promise<Packet>;
  /** What was made of a packet, remembered for others who take it. */
  take<T extends object>(name: string, unpack: (packet: Packet) => T): Promise<T>;
}

/** How values travel. */
export interface Codec<T> {
  pack(value: T, shelf: Shelf): Promise<Packet>;
  unpack(packet: Packet, shelf: Shelf): Promise<T>;
}

/** How units of a kind are done. */
export interface Work<Input, Output> {
  readonly kind: UnitKind;
  readonly input: Codec<Input>;
  readonly output: Codec<Output>;
  /** Does one, with the weights as they are. */
  run(input: Input, context: WorkContext): Promise<Output>;
  /** Frees a result that went another way. */
  dispose?(output: Output): void;
}

/** Units of a kind that a step has done. */
export interface UnitBatch<Input> {
  readonly inputs: readonly Input[];
  /** Number of the first in the step, 0 by default; no two units of a kind have the same. */
  readonly first?: number;
}

/** The step that units belong to. */
export interface UnitStep extends WorkContext {
  /** Number of the step, counting from 1. */
  readonly step: number;
}

/** Has units done. */
export interface Exchange {
  /** Resolves when all are done; `take` gets each result, in the order of the units, and owns it. */
  run<Input, Output>(
    work: Work<Input, Output>,
    batch: UnitBatch<Input>,
    step: UnitStep,
    take: (result: Output) => void,
  ): Promise<void>;
  /** Numbers about the units since the last call, for the metrics of a step. */
  metrics?(): Readonly<Record<string, number>>;
}

/** A unit that cannot be done, wherever it was tried: one sentence. */
export class UnitFailure extends Error {}

/** Does units in turn in this process. */
export const localExchange: Exchange = {
  async run(work, { inputs }, step, take) {
    for (const input of inputs) {
      step.signal.throwIfAborted();
      take(await work.run(input, step));
    }
  },
};

/** Weights that change from step to step, as bytes by name. */
export interface WeightPort {
  /** In an order that all have. */
  names(): readonly string[];
  read(name: string): Promise<Uint8Array>;
  /** Refuses bytes that are not as many as the weight has. */
  write(name: string, bytes: Uint8Array): void;
}
