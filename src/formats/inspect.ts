/** What a checkpoint holds, from its headers and descriptions of quantised weights. */
import { splitPath } from '../platform/files.js';
import { isQuantised, nf4Weight } from './bitsandbytes.js';
import { type Checkpoint, openCheckpoint } from './checkpoint.js';
import { type Dtype, elementCount } from './dtypes.js';
import { isPacked, likelyScheme, packedWeight } from './packed.js';

/** One safetensors file. */
export interface InspectedFile {
  readonly file: string;
  /** Size on disk, header included. */
  readonly bytes: number;
  readonly tensors: number;
}

/** One tensor, in the order of the disk. */
export interface InspectedTensor {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly parameters: number;
  readonly bytes: number;
  /** Name of its file, without the folder. */
  readonly file: string;
}

/** A weight that several tensors make up. */
export interface InspectedWeight {
  readonly name: string;
  readonly format: string;
  readonly shape: readonly number[];
  readonly parameters: number;
  readonly bytes: number;
  /** Names of its tensors. */
  readonly tensors: readonly string[];
}

/** Sums over the tensors of one dtype. */
export interface DtypeTotals {
  readonly tensors: number;
  readonly parameters: number;
  readonly bytes: number;
}

/** Sums over the weights of one format: of a dtype, or quantised. */
export interface FormatTotals {
  readonly weights: number;
  readonly parameters: number;
  readonly bytes: number;
  readonly bytesPerParameter: number;
}

/** Plain data, fit for `--json`. */
export interface Inspection {
  readonly files: readonly InspectedFile[];
  readonly tensors: readonly InspectedTensor[];
  readonly dtypes: Readonly<Partial<Record<Dtype, DtypeTotals>>>;
  /** Weights that are quantised. */
  readonly quantised: readonly InspectedWeight[];
  readonly formats: Readonly<Record<string, FormatTotals>>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Numbers that the weights are, however many tensors keep them. */
  readonly parameters: number;
  /** Bytes of tensor data, headers left out. */
  readonly bytes: number;
  readonly warnings: readonly string[];
}

/** Inspects a safetensors file, an index, or a folder with either. */
export async function inspect(path: string): Promise<Inspection> {
  const checkpoint = await openCheckpoint(path);
  try {
    const tensors = checkpoint.names().map((name): InspectedTensor => {
      const { dtype, shape, bytes, file } = checkpoint.info(name);
      return {
        name,
        dtype,
        shape,
        parameters: elementCount(shape) as number,
        bytes,
        file: splitPath(file).name,
      };
    });
    const files = checkpoint.files.map(
      (file): InspectedFile => ({ file: file.path, bytes: file.bytes, tensors: file.header.tensors.size }),
    );
    const quantised = await quantisedWeights(checkpoint);
    const parts = new Set(quantised.flatMap((weight) => weight.tensors));
    const plain = tensors.filter(({ name }) => !parts.has(name));
    return {
      files,
      tensors,
      dtypes: totalsByDtype(tensors),
      quantised,
      formats: totalsByFormat([...plain.map((t) => ({ ...t, format: t.dtype })), ...quantised]),
      metadata: checkpoint.metadata(),
      ...sum([...plain, ...quantised]),
      warnings: checkpoint.warnings,
    };
  } finally {
    await checkpoint.close();
  }
}

async function quantisedWeights(checkpoint: Checkpoint): Promise<InspectedWeight[]> {
  const found: InspectedWeight[] = [];
  for (const name of checkpoint.names()) {
    if (!isPacked(name) && !isQuantised(checkpoint, name)) continue;
    // What zeros mean, a config.json says; here they are only counted.
    const weight = isPacked(name)
      ? await packedWeight(checkpoint, name, likelyScheme(checkpoint, name))
      : await nf4Weight(checkpoint, name);
    const { format, shape, bytes, tensors } = weight;
    found.push({ name, format, shape, parameters: elementCount(shape) as number, bytes, tensors });
  }
  return found;
}

function totalsByFormat(
  weights: readonly (Counted & { readonly format: string })[],
): Record<string, FormatTotals> {
  const totals: Record<string, FormatTotals> = {};
  for (const format of [...new Set(weights.map((weight) => weight.format))].sort()) {
    const same = weights.filter((weight) => weight.format === format);
    const { parameters, bytes } = sum(same);
    totals[format] = { weights: same.length, parameters, bytes, bytesPerParameter: bytes / parameters };
  }
  return totals;
}

function totalsByDtype(tensors: readonly InspectedTensor[]): Partial<Record<Dtype, DtypeTotals>> {
  const totals: Partial<Record<Dtype, DtypeTotals>> = {};
  for (const dtype of [...new Set(tensors.map((tensor) => tensor.dtype))].sort()) {
    const same = tensors.filter((tensor) => tensor.dtype === dtype);
    totals[dtype] = { tensors: same.length, ...sum(same) };
  }
  return totals;
}

interface Counted {
  readonly parameters: number;
  readonly bytes: number;
}

function sum(tensors: readonly Counted[]): Counted {
  let parameters = 0;
  let bytes = 0;
  for (const tensor of tensors) {
    parameters += tensor.parameters;
    bytes += tensor.bytes;
  }
  return { parameters, bytes };
}
