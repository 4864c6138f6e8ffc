/**
 * How completions are cut into rounds, steps and micro-batches. A round is what is generated at once; it serves one or
 * more optimizer steps, `num_iterations` times over; each step has micro-batches. Groups are never torn apart between
 * steps, and a micro-batch has whole groups or parts of one, so that prompts can be shared.
 */
import { configError } from '../train/config/index.js';

/** The fields of a config that decide. */
export interface BatchFields {
  readonly per_device_train_batch_size: number;
  readonly gradient_accumulation_steps: number;
  readonly num_generations: number;
  readonly steps_per_generation: number | null;
  readonly generation_batch_size: number | null;
  readonly num_mini_batches: number | null;
  readonly num_iterations: number;
  readonly rollout_units: number;
  readonly learning_lanes: number;
}

/** Sizes that follow from a config. */
export interface BatchPlan {
  readonly groupSize: number;
  /** Completions of a micro-batch, of a step, and of a round. */
  readonly microBatch: number;
  readonly stepBatch: number;
  readonly roundBatch: number;
  /** Prompts of a round. */
  readonly roundPrompts: number;
  /** Steps that a round's completions are spread over, and all steps of a round. */
  readonly slices: number;
  readonly roundSteps: number;
  /** Micro-batches of a step. */
  readonly accumulation: number;
  /** Prompts of a unit of rollouts, and micro-batches of a lane. */
  readonly unitPrompts: number;
  readonly laneBatches: number;
}

/** Where an optimizer step stands in its round. */
export interface RoundPlace {
  /** Number of the round, from 0. */
  readonly round: number;
  /** Number of the step in the round, from 0; the first one generates. */
  readonly index: number;
  /** Which part of the round's completions it learns from. */
  readonly slice: number;
}

/** Works out the sizes; refuses what does not divide. */
export function planBatches(config: BatchFields): BatchPlan {
  const refuse = (field: keyof BatchFields, problem: string): never => {
    throw configError(`the config's "${field}"`, problem);
  };
  const groupSize = config.num_generations;
  const microBatch = config.per_device_train_batch_size;
  const accumulation = config.gradient_accumulation_steps;
  const stepBatch = microBatch * accumulation;
  if (stepBatch % groupSize !== 0) {
    const product = `per_device_train_batch_size ${microBatch} x gradient_accumulation_steps ${accumulation}`;
    refuse(
      'num_generations',
      `is ${groupSize}, which does not divide the ${stepBatch} completions of a step (${product}); a step learns from whole groups`,
    );
  }
  if (microBatch % groupSize !== 0 && groupSize % microBatch !== 0) {
    refuse(
      'per_device_train_batch_size',
      `is ${microBatch}, neither a multiple nor a divisor of num_generations ${groupSize}`,
    );
  }
  if (config.steps_per_generation !== null && config.generation_batch_size !== null) {
    refuse('generation_batch_size', 'is set beside steps_per_generation; give one of them');
  }
  const parts = config.num_mini_batches;
  if (parts !== null && (config.steps_per_generation !== null || config.generation_batch_size !== null)) {
    refuse(
      'num_mini_batches',
      'is set beside steps_per_generation or generation_batch_size; give one of them',
    );
  }
  const roundBatch =
    (parts === null ? null : parts * stepBatch) ??
    config.generation_batch_size ??
    (config.steps_per_generation ?? accumulation) * microBatch;
  if (roundBatch % stepBatch !== 0) {
    const [field, value] =
      config.generation_batch_size === null
        ? (['steps_per_generation', config.steps_per_generation] as const)
        : (['generation_batch_size', config.generation_batch_size] as const);
    const unit = config.generation_batch_size === null ? accumulation : stepBatch;
    refuse(
      field,
      `is ${value}, not a multiple of ${unit}: a round of rollouts must fill whole optimizer steps`,
    );
  }
  const slices = roundBatch / stepBatch;
  const roundPrompts = roundBatch / groupSize;
  const { rollout_units: units, learning_lanes: lanes } = config;
  if (roundPrompts % units !== 0) {
    refuse('rollout_units', `is ${units}, which does not divide the ${roundPrompts} prompts of a round`);
  }
  if (accumulation % lanes !== 0) {
    refuse(
      'learning_lanes',
      `is ${lanes}, which does not divide gradient_accumulation_steps ${accumulation}`,
    );
  }
  return {
    groupSize,
    microBatch,
    stepBatch,
    roundBatch,
    roundPrompts,
    slices,
    roundSteps: slices * config.num_iterations,
    accumulation,
    unitPrompts: roundPrompts / units,
    laneBatches: accumulation / lanes,
  };
}

/** The place of a step, counting from 1. */
export function placeOf(plan: BatchPlan, step: number): RoundPlace {
  const index = (step - 1) % plan.roundSteps;
  return { round: Math.floor((step - 1) / plan.roundSteps), index, slice: index % plan.slices };
}
