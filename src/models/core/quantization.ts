/** Which weights of a model are stored in 4 bits, by its config.json or by what a user asks for. */
import type { PackedScheme } from '../../formats/packed.js';
import { describe } from '../../formats/quote.js';
import { NF4_BLOCK, numel } from '../../tensor/index.js';
import type { ParameterSpec } from './builder.js';
import type { ModelConfig } from './config.js';
import { modelError } from './errors.js';
import { asObject, type JsonObject } from './json-fields.js';
import type { WeightNames } from './names.js';

/** How linear layers are quantised. */
export interface Quantization {
  /** Who packed them, where not bitsandbytes did, in NF4. */
  readonly packed?: PackedScheme;
  /** Magnitudes of blocks in 8 bits, too; NF4 alone. */
  readonly doubleQuant: boolean;
  /** Modules that keep their weights, by their paths or words of them. */
  readonly skip: readonly string[];
}

/** What a config.json says of the weights beside it; null where they are not quantised. */
export function quantizationOf({ raw, names }: ModelConfig, file: string): Quantization | null {
  const own = asObject(raw.quantization_config, file, 'quantization_config');
  if (own === undefined) return null;
  const method = own.quant_method ?? 'bitsandbytes';
  if (method === 'awq' || method === 'gptq') return packedQuantization(own, method, names, file);
  if (method !== 'bitsandbytes' || own.load_in_8bit === true || own._load_in_8bit === true) {
    const what = method === 'bitsandbytes' ? 'bitsandbytes in 8 bits' : describe(method);
    throw modelError(
      `${file}: "quantization_config"`,
      `has weights by ${what}; bitsandbytes in nf4, awq and gptq can be read`,
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
  const skip = moduleNames(own, 'llm_int8_skip_modules', file);
  return { doubleQuant: own.bnb_4bit_use_double_quant === true, skip };
}

/** That of AWQ and GPTQ. */
function packedQuantization(
  own: JsonObject,
  method: 'awq' | 'gptq',
  { vision }: WeightNames,
  file: string,
): Quantization {
  const fail = (field: string, known: string): never => {
    throw modelError(
      `${file}: "quantization_config"`,
      `has ${field} ${describe(own[field])} for ${method}; ${known} can be read`,
    );
  };
  if (own.bits !== 4) fail('bits', '4');
  const awq = method === 'awq';
  if (awq && (own.version ?? 'gemm') !== 'gemm') fail('version', 'gemm');
  const format = own.checkpoint_format ?? 'gptq';
  if (!awq && format !== 'gptq' && format !== 'gptq_v2') fail('checkpoint_format', 'gptq and gptq_v2');
  // GPTQ quantises decoders, and its configs do not say so.
  const skip = awq ? moduleNames(own, 'modules_to_not_convert', file) : vision;
  return { packed: awq ? 'awq' : format === 'gptq_v2' ? 'gptq_v2' : 'gptq', doubleQuant: false, skip };
}

function moduleNames(own: JsonObject, field: string, file: string): readonly string[] {
  const names = own[field] ?? [];
  if (Array.isArray(names) && names.every((name) => typeof name === 'string')) return names;
  throw modelError(
    `${file}: "quantization_config"`,
    `has ${field} ${describe(names)}; expected names of modules`,
  );
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
