/** Writing a randomly initialised checkpoint: weights, config, tokenizer and what else a model folder has. */
import { writeCheckpoint } from '../../formats/checkpoint-writer.js';
import { writeTextFiles } from '../../platform/files.js';
import { buildByteTokenizer } from '../../text/byte-tokenizer.js';
import type { Merge } from '../../text/learn-merges.js';
import { type ModelConfig, parseConfig, type StoredDtype } from '../core/config.js';
import { modelError } from '../core/errors.js';
import { type ParameterSpec, parameterCount, parameterSpecs } from '../core/inventory.js';
import type { JsonObject } from '../core/json-fields.js';
import { MINIATURES, miniature, tokenIds } from './miniature.js';
import { PUBLISHED } from './published.js';
import { randomWeight } from './random-weights.js';

/** Names that {@link initModel} takes. */
export const ARCHITECTURES: readonly string[] = [...MINIATURES, ...Object.keys(PUBLISHED)];

/** Options of {@link initModel}. */
export interface InitOptions {
  /** One of {@link ARCHITECTURES}, or a config.json of one's own, whose vocabulary size and token ids are filled in. */
  readonly arch: string | JsonObject;
  readonly seed: number;
  /** Merges of the tokenizer, for architectures that are not published ones; it spells bytes otherwise. */
  readonly merges?: readonly Merge[];
  /** Dtype of the weights; the architecture's own by default. */
  readonly dtype?: StoredDtype;
  readonly maxShardBytes?: number;
  /** Called as each tensor's turn comes. */
  readonly onProgress?: (progress: { readonly parametersDone: number; readonly parameters: number }) => void;
}

/** Miniature vocabularies are rounded up to this, as published ones are. */
const VOCAB_STEP = 32;
const CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073];
const CLIP_STD = [0.26862954, 0.26130258, 0.27577711];

/** The architecture's raw config and the tokenizer that goes with it. */
export function architecture(
  arch: string | JsonObject,
  merges: readonly Merge[] = [],
): { raw: JsonObject; files: Readonly<Record<string, string>> } {
  const published = typeof arch === 'string' ? PUBLISHED[arch] : undefined;
  if (published && typeof arch === 'string') {
    if (merges.length > 0) throw modelError(`architecture "${arch}"`, 'has a tokenizer of its own');
    const qwen = published.model_type !== 'llama';
    const vocab = buildByteTokenizer(
      qwen ? { firstSpecialId: 151643, qwen25: arch.startsWith('qwen2.5') } : {},
    );
    return { raw: qwen ? published : withTokenizerIds(published, vocab.ids), files: vocab.files };
  }
  const tokenizer = buildByteTokenizer({ qwen25: true, merges });
  const vocab = Math.ceil(tokenizer.size / VOCAB_STEP) * VOCAB_STEP;
  const raw =
    typeof arch === 'string'
      ? miniature(arch, vocab, tokenizer.ids)
      : { ...arch, ...tokenIds(tokenizer.ids, arch), vocab_size: vocab };
  if (!raw) throw modelError(`architecture "${arch}"`, `is not known; known are ${ARCHITECTURES.join(', ')}`);
  return { raw, files: tokenizer.files };
}

/** Our byte tokenizer numbers its special tokens otherwise than the published model's own. */
function withTokenizerIds(raw: JsonObject, ids: Readonly<Record<string, number>>): JsonObject {
  const [end, text] = [ids['<|im_end|>'], ids['<|endoftext|>']];
  return { ...raw, bos_token_id: text, eos_token_id: end, pad_token_id: text };
}

/** Writes the folder; equal options give equal bytes. */
export async function initModel(dir: string, options: InitOptions): Promise<ModelConfig> {
  if (!Number.isSafeInteger(options.seed) || options.seed < 0) {
    throw modelError('the seed', `is ${options.seed}; expected a non-negative integer`);
  }
  const { raw: base, files } = architecture(options.arch, options.merges);
  const raw = options.dtype ? { ...base, torch_dtype: options.dtype } : base;
  const config = parseConfig(raw, typeof options.arch === 'string' ? options.arch : 'the config');
  const deviation = typeof raw.initializer_range === 'number' ? raw.initializer_range : 0.02;
  const parameters = parameterCount(config);
  let parametersDone = 0;
  const source = (spec: ParameterSpec) => {
    const weight = randomWeight(spec, options.seed, config.dtype, deviation);
    return {
      ...weight,
      data: () => {
        options.onProgress?.({ parametersDone, parameters });
        parametersDone += spec.shape.reduce((n, d) => n * d, 1);
        return weight.data();
      },
    };
  };
  await writeCheckpoint(dir, parameterSpecs(config).map(source), { maxShardBytes: options.maxShardBytes });
  options.onProgress?.({ parametersDone, parameters });
  await writeTextFiles(dir, { ...files, ...settings(config), 'config.json': json(raw) });
  return config;
}

/** generation_config.json and, for models that see, preprocessor_config.json. */
function settings(config: ModelConfig): Record<string, string> {
  const { bos, eos, pad = bos } = config.tokens;
  const stop = [...new Set([...eos, ...(pad === undefined ? [] : [pad])])];
  const generation = { bos_token_id: bos, eos_token_id: stop, pad_token_id: pad, do_sample: false };
  const out: Record<string, string> = { 'generation_config.json': json(generation) };
  if (config.vision) {
    out['preprocessor_config.json'] = json({
      image_processor_type: 'Qwen2VLImageProcessor',
      min_pixels: 3136,
      max_pixels: 12845056,
      patch_size: config.vision.patchSize,
      temporal_patch_size: config.vision.temporalPatchSize,
      merge_size: config.vision.mergeSize,
      image_mean: CLIP_MEAN,
      image_std: CLIP_STD,
    });
  }
  return out;
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
