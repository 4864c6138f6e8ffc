/** The weights of a model in a checkpoint: which tensors they are, and how the file stores them. All is checked, nothing is read. */
import { describedWeight, isQuantised, nf4Weight } from '../../formats/bitsandbytes.js';
import type { QuantisedWeight } from '../../formats/blocks.js';
import type { Checkpoint } from '../../formats/checkpoint.js';
import { type FloatDtype, isFloatDtype } from '../../formats/dtypes.js';
import { describedCodes, isPacked, packedWeight, packedWeightName } from '../../formats/packed.js';
import { type Shape, sameShape, showShape } from '../../tensor/index.js';
import type { ParameterSpec } from './builder.js';
import type { ModelConfig } from './config.js';
import { modelError } from './errors.js';
import { parameterSpecs } from './inventory.js';
import type { WeightNames } from './names.js';
import { type Quantization, quantizationOf } from './quantization.js';

/** A weight of a model, and where it is. */
export interface StoredWeight {
  readonly spec: ParameterSpec;
  /** The tensor that it is, or by which it is named where it is quantised. */
  readonly tensor: string;
  readonly stored: FloatDtype | QuantisedWeight;
}

/** A model's weights in a checkpoint. */
export interface StoredWeights {
  /** In the order of the disk, which is the fastest to read them in. */
  readonly weights: readonly StoredWeight[];
  /** What was odd about the files. */
  readonly warnings: readonly string[];
}

/** Finds a model's weights in a checkpoint in any name layout. */
export async function storedWeights(checkpoint: Checkpoint, config: ModelConfig): Promise<StoredWeights> {
  const quantization = quantizationOf(config, `${checkpoint.path}/config.json`);
  const specs = parameterSpecs(config);
  const { names, unused } = matchNames(checkpoint, config.names, specs);
  const bySpec = new Map(specs.map((spec) => [spec.name, spec]));
  const order = new Map(checkpoint.names().map((name, i) => [name, i]));
  const matched = [...names].sort((a, b) => (order.get(a[1]) ?? 0) - (order.get(b[1]) ?? 0));
  const weights: StoredWeight[] = [];
  for (const [name, tensor] of matched) {
    const spec = bySpec.get(name) as ParameterSpec;
    weights.push({ spec, tensor, stored: await storedAs(checkpoint, tensor, spec, quantization) });
  }
  const odd = unused.length > 0 ? [`${checkpoint.path}: unused tensors: ${listed(unused)}`] : [];
  return { weights, warnings: [...checkpoint.warnings, ...odd] };
}

/** File names of the wanted tensors by canonical name. */
function matchNames(
  checkpoint: Checkpoint,
  { canonical, head }: WeightNames,
  specs: readonly ParameterSpec[],
): { names: Map<string, string>; unused: string[] } {
  const wanted = new Set(specs.map(({ name }) => name));
  const names = new Map<string, string>();
  const unused: string[] = [];
  for (const file of checkpoint.names()) {
    if ((describedWeight(checkpoint, file) ?? describedCodes(checkpoint, file)) !== null) continue;
    const name = canonical(packedWeightName(file));
    if (name === null || !wanted.has(name)) {
      // A tied head may be stored all the same, and rotary tables follow from the config.
      const expected = name === head || file.endsWith('rotary_emb.inv_freq');
      if (!expected) unused.push(file);
      continue;
    }
    const other = names.get(name);
    if (other)
      throw modelError(checkpoint.path, `has both "${other}" and "${file}", two names of one weight`);
    names.set(name, file);
  }
  const missing = [...wanted].filter((name) => !names.has(name));
  if (missing.length > 0) {
    const hint = missing.includes(head)
      ? '; set "tie_word_embeddings": true in config.json if the embedding is the head'
      : '; do config.json and the weights belong together?';
    throw modelError(checkpoint.path, `lacks ${listed(missing)}${hint}`);
  }
  return { names, unused };
}

async function storedAs(
  checkpoint: Checkpoint,
  tensor: string,
  spec: ParameterSpec,
  quantization: Quantization | null,
): Promise<FloatDtype | QuantisedWeight> {
  const { file, dtype, shape } = checkpoint.info(tensor);
  const where = `${file}: tensor "${tensor}"`;
  const scheme = quantization?.packed;
  if (isPacked(tensor) && !scheme)
    throw modelError(where, 'is packed, but config.json has no quantization_config that says how');
  if (isPacked(tensor) || isQuantised(checkpoint, tensor)) {
    const weight = await (scheme ? packedWeight(checkpoint, tensor, scheme) : nf4Weight(checkpoint, tensor));
    checkShape(where, weight.shape, spec);
    if (spec.role === 'linear') return weight;
    throw modelError(where, 'is quantised; linear layers alone may be, without the output head');
  }
  checkShape(where, shape, spec);
  if (isFloatDtype(dtype)) return dtype;
  throw modelError(where, `has dtype ${dtype}; BF16, F16, F32 and F64 can be loaded`);
}

function checkShape(where: string, shape: Shape, spec: ParameterSpec): void {
  if (sameShape(shape, spec.shape)) return;
  throw modelError(where, `has shape ${showShape(shape)}, but config.json makes it ${showShape(spec.shape)}`);
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 3).map((name) => `"${name}"`);
  return names.length > 3 ? `${shown.join(', ')} and ${names.length - 3} more` : shown.join(', ');
}
