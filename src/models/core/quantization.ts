/** Which weights of a model are stored in 4 bits, by its config.json or by what a user asks for. */
import { describe } from '../../formats/quote.js';
import { NF4_BLOCK, numel } from '../../tensor/index.js';
import type { ParameterSpec } from './builder.js';
import type { ModelConfig } from './config.js';
import { modelError } from './errors.js';
import { asObject, type JsonObject } from './json-fields.js';
import type { WeightNames } from './names.js';

/** How linear layers are quantised. */
export interface Quantization {
  /** Magnitudes of blocks in 8 bits, too. */
  readonly doubleQuant: boolean;
  /** Modules that keep their weights, by their paths or words of them. */
  readonly skip: readonly string[];
}

/** What a config.json says of the weights beside it; null where they are not quantised. */
export function quantizationOf({ raw }: ModelConfig, file: string): Quantization | null {
  const own = asObject(raw.quantization_config, file, 'quantization_config');
  if (own === undefined) return null;
  const method = own.quant_method ?? 'bitsandbytes';
  if (method !== 'bitsandbytes' || own.load_in_8bit === true || own._load_in_8bit === true) {
    const what = method === 'bitsandbytes' ? 'bitsandbytes in 8 bits' : describe(method);
    throw modelError(
      `${file}: "quantization_config"`,
      `has weights by ${what}; bitsandbytes in nf4 can be read`,
    );
  }
  if (own.load_in_4bit !== true && own._load_in_4bit !== true) return null;
  const type = own.bnb_4bit_quant_type ?? 'fp4';
  if (type !== 'nf4') {
    throw modelError(
      `${file}: "quantization_config"`,
      `has bnb_4bit_quant_type ${describe(type)}; nf4 can be read`,
    );
  }
  const skip = own.llm_int8_skip_modules ?? [];
  if (!Array.isArray(skip) || !skip.every((name) => typeof name === 'string')) {
    throw modelError(
      `${file}: "quantization_config"`,
      `has llm_int8_skip_modules ${describe(skip)}; expected names of modules`,
    );
  }
  return { doubleQuant: own.bnb_4bit_use_double_quant === true, skip };
}

/** The `quantization_config` that transformers writes. */
export function quantizationJson({ doubleQuant, skip }: Quantization, computeDtype: string): JsonObject {
  return {
    _load_in_4bit: true,
    _load_in_8bit: false,
    bnb_4bit_compute_dtype: computeDtype,
    bnb_4bit_quant_storage: 'uint8',
    bnb_4bit_quant_type: 'nf4',
    bnb_4bit_use_double_quant: doubleQuant,
    llm_int8_enable_fp32_cpu_offload: false,
    llm_int8_has_fp16_weight: false,
    llm_int8_skip_modules: skip.length > 0 ? skip : null,
    llm_int8_threshold: 6,
    load_in_4bit: true,
    load_in_8bit: false,
    quant_method: 'bitsandbytes',
  };
}

/** Whether a parameter is quantised: weights of linear layers are, but for those that are skipped, and the output head. */
export function isQuantisable(
  { role, name }: ParameterSpec,
  names: WeightNames,
  { skip }: Quantization,
): boolean {
  if (role !== 'linear') return false;
  const path = name.replace(/\.weight$/, '');
  return !skip.some((words) => has(path, words) || has(names.memory(path), words));
}

/** Whether words stand in a path, one after another. */
function has(path: string, words: string): boolean {
  return `.${path}.`.includes(`.${words}.`);
}

/** Refuses a weight that is no whole blocks. */
export function checkBlocks({ name, shape }: ParameterSpec, where: string): void {
  if (numel(shape) % NF4_BLOCK === 0) return;
  throw modelError(
    `${where}: tensor "${name}"`,
    `has ${numel(shape)} elements, which are no whole blocks of ${NF4_BLOCK}; name its module in llm_int8_skip_modules`,
  );
}
