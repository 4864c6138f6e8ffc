/** What a checkpoint holds, from its headers alone. */
import { splitPath } from '../platform/files.js';
import { openCheckpoint } from './checkpoint.js';
import { type Dtype, elementCount } from './dtypes.js';

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

/** Sums over the tensors of one dtype. */
export interface DtypeTotals {
  readonly tensors: number;
  readonly parameters: number;
  readonly bytes: number;
}

/** Plain data, fit for `--json`. */
export interface Inspection {
  readonly files: readonly InspectedFile[];
  readonly tensors: readonly InspectedTensor[];
  readonly dtypes: Readonly<Partial<Record<Dtype, DtypeTotals>>>;
  readonly metadata: Readonly<Record<string, string>>;
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
    return {
      files,
      tensors,
      dtypes: totalsByDtype(tensors),
      metadata: checkpoint.metadata(),
      ...sum(tensors),
      warnings: checkpoint.warnings,
    };
  } finally {
    await checkpoint.close();
  }
}

function totalsByDtype(tensors: readonly InspectedTensor[]): Partial<Record<Dtype, DtypeTotals>> {
  const totals: Partial<Record<Dtype, DtypeTotals>> = {};
  for (const dtype of [...new Set(tensors.map((tensor) => tensor.dtype))].sort()) {
    const same = tensors.filter((tensor) => tensor.dtype === dtype);
    totals[dtype] = { tensors: same.length, ...sum(same) };
  }
  return totals;
}

function sum(tensors: readonly InspectedTensor[]): { parameters: number; bytes: number } {
  let parameters = 0;
  let bytes = 0;
  for (const tensor of tensors) {
    parameters += tensor.parameters;
    bytes += tensor.bytes;
  }
  return { parameters, bytes };
}
