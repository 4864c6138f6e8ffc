/** Parts of a model that can be frozen or trained at a rate of their own. */

import { isSaved } from '../models/core/lora/disk.js';
import type { Model } from '../models/index.js';
import type { Parameters } from '../nn/parameters.js';
import type { AdamWSettings, ParameterGroup } from '../optim/index.js';
import type { Tensor } from '../tensor/index.js';
import { configError, frozenParts, type TrainingConfig } from './config/index.js';

/** Norms and biases, which are the vectors of a model, are not decayed. */
function decays({ shape }: { readonly shape: readonly number[] }): boolean {
  return shape.length > 1;
}

/** Groups of the weights that train, by learning rate and weight decay. */
export function parameterGroups(config: TrainingConfig, model: Model, extra?: Parameters): ParameterGroup[] {
  const groups = new Map<string, ParameterGroup & { parameters: [string, Tensor][] }>();
  const put = (name: string, tensor: Tensor, learningRate: number) => {
    const weightDecay = decays(tensor) ? config.weight_decay : 0;
    const key = `${learningRate} ${weightDecay}`;
    const group = groups.get(key) ?? { parameters: [], learningRate, weightDecay };
    group.parameters.push([name, tensor]);
    groups.set(key, group);
  };
  const rates = config.learning_rates;
  for (const [name, tensor] of model.namedParameters()) {
    if (tensor.requiresGrad) put(name, tensor, rates[model.config.names.part(name)] ?? config.learning_rate);
  }
  for (const [name, tensor] of extra?.trainable() ?? []) {
    put(`${EXTRA}${name}`, tensor, rates.extra ?? config.learning_rate);
  }
  // By name: an adapter's matrices come in another order from a file than when they were made, and a sum must not care.
  for (const { parameters } of groups.values()) parameters.sort(([a], [b]) => (a < b ? -1 : 1));
  return [...groups.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
}

/** The optimizer that a config asks for. */
export function optimizerSettings(config: TrainingConfig): AdamWSettings {
  return {
    beta1: config.adam_beta1,
    beta2: config.adam_beta2,
    epsilon: config.adam_epsilon,
    optimizer: config.optim,
    gradients: config.optimizer_in_backward ? 'immediate' : config.gradient_dtype,
    seed: config.seed,
  };
}

/** Weights that train, those that a task adds to the model's included. */
export function* trainedWeights(model: Model, extra?: Parameters): Generator<[string, Tensor]> {
  for (const [name, tensor] of model.namedParameters()) if (tensor.requiresGrad) yield [name, tensor];
  for (const [name, tensor] of extra?.trainable() ?? []) yield [`${EXTRA}${name}`, tensor];
}

/** Before the names of weights that a task adds to the model's. */
export const EXTRA = 'extra.';

/** Marks the weights that train, as the flags and the adapter say. */
export function selectTrainable(config: TrainingConfig, model: Model): void {
  const { visionTower, merger, languageModel } = frozenParts(config);
  const frozen = { vision_tower: visionTower, merger, language_model: languageModel };
  const { names } = model.config;
  const { adapter } = model;
  if (adapter) {
    const modules = adapter.config.modulesToSave;
    checkModules(model, modules);
    model.train((name) => adapter.parameters.find(name) !== undefined || isSaved(modules, name));
  } else {
    model.train((name) => !frozen[names.part(name)]);
  }
  if (![...model.namedParameters()].some(([, tensor]) => tensor.requiresGrad)) {
    throw configError("the config's freeze flags", 'leave nothing of this model to train');
  }
}

function checkModules(model: Model, modules: readonly string[]): void {
  const names = [...model.parameters.entries()].map(([name]) => name);
  const idle = modules.find((module) => !names.some((name) => isSaved([module], name)));
  if (idle === undefined) return;
  const known = [...new Set(names.map((name) => name.split('.').at(-2)))].join(', ');
  throw configError(
    `the config's "lora_modules_to_save"`,
    `has "${idle}", which is no module with weights; known are ${known}`,
  );
}
