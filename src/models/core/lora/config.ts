/** LoRA settings as PEFT stores them in adapter_config.json. */
import { quote } from '../../../formats/quote.js';
import { modelError } from '../errors.js';
import { Fields, type JsonObject } from '../json-fields.js';

/** Which modules are meant: names (exact, or what a path ends with), or a regular expression on whole paths. */
export type ModuleSelector = string | readonly string[];

/** Settings of an adapter. */
export interface LoraConfig {
  readonly rank: number;
  readonly alpha: number;
  readonly dropout: number;
  /** `all-linear` means every linear layer but the output head. */
  readonly targets: ModuleSelector;
  readonly exclude: ModuleSelector | null;
  /** Ranks and alphas of modules whose path ends with a match of the key. */
  readonly rankPattern: Readonly<Record<string, number>>;
  readonly alphaPattern: Readonly<Record<string, number>>;
  /** Scale by alpha / sqrt(rank) instead of alpha / rank. */
  readonly rsLora: boolean;
  /** Only these layers, with a list of targets. */
  readonly layers: readonly number[] | null;
  /** Names of the lists of layers that `layers` counts in; any by default. */
  readonly layersPattern: readonly string[] | null;
  /** Modules that are trained and stored whole. */
  readonly modulesToSave: readonly string[];
  /** Where the base model came from; kept for whoever loads the adapter. */
  readonly baseModel: string | null;
}

/** PEFT's defaults, except that nothing is targeted. */
export const LORA_DEFAULTS: LoraConfig = {
  rank: 8,
  alpha: 8,
  dropout: 0,
  targets: [],
  exclude: null,
  rankPattern: {},
  alphaPattern: {},
  rsLora: false,
  layers: null,
  layersPattern: null,
  modulesToSave: [],
  baseModel: null,
};

/** Fields that change what an adapter computes in ways that are not supported. */
const REFUSED = [
  'use_dora',
  'use_qalora',
  'use_bdlora',
  'layer_replication',
  'target_parameters',
  'alora_invocation_tokens',
  'lora_bias',
  'trainable_token_indices',
  'fan_in_fan_out',
];

/** Reads an adapter_config.json; unknown fields are ignored. */
export function parseLoraConfig(raw: JsonObject, file: string): LoraConfig {
  if (raw.peft_type !== 'LORA') {
    throw modelError(
      file,
      `has peft_type ${JSON.stringify(raw.peft_type)}; only LORA adapters can be loaded`,
    );
  }
  for (const field of REFUSED) {
    const value = raw[field];
    const empty = value === undefined || value === null || value === false || sizeOf(value) === 0;
    if (!empty)
      throw modelError(`${file}: "${field}"`, `is ${JSON.stringify(value)}, which is not supported`);
  }
  const fields = new Fields(file, [raw]);
  fields.word('bias', ['none'], 'none');
  const dropout = raw.lora_dropout ?? 0;
  if (typeof dropout !== 'number' || !(dropout >= 0 && dropout < 1)) {
    throw modelError(`${file}: "lora_dropout"`, `is ${JSON.stringify(dropout)}; expected a number in [0, 1)`);
  }
  const layers =
    typeof raw.layers_to_transform === 'number' ? [raw.layers_to_transform] : raw.layers_to_transform;
  return {
    rank: fields.count('r', LORA_DEFAULTS.rank),
    alpha: fields.positive('lora_alpha', LORA_DEFAULTS.alpha),
    dropout,
    targets: selector(raw.target_modules, file, 'target_modules') ?? [],
    exclude: selector(raw.exclude_modules, file, 'exclude_modules'),
    rankPattern: pattern(raw.rank_pattern, file, 'rank_pattern'),
    alphaPattern: pattern(raw.alpha_pattern, file, 'alpha_pattern'),
    rsLora: fields.flag('use_rslora', false),
    layers: sizeOf(layers) === 0 ? null : fieldsOf(layers, file).integers('layers_to_transform', []),
    layersPattern: names(raw.layers_pattern, file, 'layers_pattern'),
    modulesToSave: names(raw.modules_to_save, file, 'modules_to_save') ?? [],
    baseModel: typeof raw.base_model_name_or_path === 'string' ? raw.base_model_name_or_path : null,
  };
}

/** The adapter_config.json that PEFT reads. */
export function loraConfigJson(config: LoraConfig): JsonObject {
  return {
    base_model_name_or_path: config.baseModel,
    bias: 'none',
    exclude_modules: config.exclude,
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    layers_pattern: config.layersPattern,
    layers_to_transform: config.layers,
    lora_alpha: config.alpha,
    lora_dropout: config.dropout,
    modules_to_save: config.modulesToSave.length > 0 ? config.modulesToSave : null,
    peft_type: 'LORA',
    r: config.rank,
    alpha_pattern: config.alphaPattern,
    rank_pattern: config.rankPattern,
    revision: null,
    target_modules: config.targets,
    task_type: 'CAUSAL_LM',
    use_dora: false,
    use_rslora: config.rsLora,
  };
}

function fieldsOf(layers: unknown, file: string): Fields {
  return new Fields(file, [{ layers_to_transform: layers }]);
}

function sizeOf(value: unknown): number | undefined {
  if (value === undefined || value === null) return 0;
  return typeof value === 'object' ? Object.keys(value).length : undefined;
}

function names(value: unknown, file: string, field: string): readonly string[] | null {
  if (sizeOf(value) === 0) return null;
  if (typeof value === 'string') return [value];
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
  throw modelError(`${file}: "${field}"`, `is ${JSON.stringify(value)}; expected a list of names`);
}

function selector(value: unknown, file: string, field: string): ModuleSelector | null {
  if (value === undefined || value === null) return null;
  return typeof value === 'string' ? value : names(value, file, field);
}

function pattern(value: unknown, file: string, field: string): Readonly<Record<string, number>> {
  if (value === undefined || value === null) return {};
  const fits = typeof value === 'object' && Object.values(value).every((n) => typeof n === 'number' && n > 0);
  if (fits) {
    for (const key of Object.keys(value)) assertQuick(key, `${file}: "${field}"`);
    return value as Record<string, number>;
  }
  throw modelError(`${file}: "${field}"`, `is ${JSON.stringify(value)}; expected positive numbers by module`);
}

/**
 * The keys are regular expressions, and a repetition of repetitions may take longer than anyone waits, even on names as short
 * as those of modules.
 */
function assertQuick(key: string, where: string): void {
  const repetitions = key.match(/[*+]|\{\d*,/g)?.length ?? 0;
  if (repetitions <= 4 && !/\)[*+{?]/.test(key)) return;
  throw modelError(
    `${where}: ${quote(key)}`,
    'repeats too much to be a pattern of module names; name them plainly',
  );
}
