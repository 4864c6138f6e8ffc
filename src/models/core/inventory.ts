/** Every parameter that a model has, with its shape, from its config alone. */
import { Rehearsal } from '../../gpu/index.js';
import type { Linear } from '../../nn/linear.js';
import { empty, numel } from '../../tensor/index.js';
import { LayerBuilder, type ParameterSpec } from './builder.js';
import type { ModelConfig } from './config.js';

/** All parameters in the order of the forward pass; a tied head is not listed. */
export function parameterSpecs(config: ModelConfig): readonly ParameterSpec[] {
  return built(config).specs;
}

/** Every linear layer by path, with weights that exist on paper only. */
export function linearsOnPaper(config: ModelConfig): ReadonlyMap<string, Linear> {
  return built(config).linears;
}

function built(config: ModelConfig): LayerBuilder {
  const gpu = new Rehearsal();
  const build = new LayerBuilder(({ shape }) => empty(gpu, shape).keep());
  config.build(build);
  return build;
}

/** Number of parameters. */
export function parameterCount(config: ModelConfig): number {
  return parameterSpecs(config).reduce((sum, { shape }) => sum + numel(shape), 0);
}
