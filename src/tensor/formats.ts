/**
 * How the elements of tensors are stored: the one table of formats. A format is a row here and, where kernels read it as
 * weights, a branch of shaders/common/weight.wgsl, which decodes it on the device.
 *
 * Arithmetic is always f32. f16 and bf16 are stored two to a u32, low half first, and travel as raw 16-bit patterns on the
 * host.
 */
import { check } from '../gpu/index.js';
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from './half.js';
import { INT4_BLOCK, int4ToF32, quantizeInt4 } from './int4.js';
import { NF4_BLOCK, nf4ToF32, quantizeNf4 } from './nf4.js';

/** Host arrays that carry tensor elements. */
export type HostArray = Float32Array | Int32Array | Uint32Array | Uint16Array;

/**
 * A stretch of a tensor's memory that kernels bind on its own. Formats of plain numbers have one; formats of blocks keep
 * scales behind the numbers, each kind in a segment of its own. A tensor is one buffer all the same.
 */
export interface FormatSegment {
  /**
   * Name of the binding; that of the tensor where there is none. `absmax` is of formats of blocks: f32 numbers that no magnitude of
   * their block exceeds.
   */
  readonly name?: string;
  /** So many neighbours, in row-major order, share `bytes` bytes; infinitely many where all share them. */
  readonly elements: number;
  readonly bytes: number;
}

/** A row of the table. */
export interface Format {
  /** What safetensors files call it; null where they keep it in several tensors. */
  readonly file: string | null;
  /** What PyTorch or bitsandbytes, and with them configs, call it. */
  readonly torch: string;
  /** Numbers that weights can have, numbers that share a scale with their neighbours, or indices and bits. */
  readonly kind: 'float' | 'blocks' | 'integer';
  readonly segments: readonly FormatSegment[];
  /** The most neighbours that weight.wgsl brings with one load. */
  readonly load: 1 | 4 | 8;
  /** Whether matrix units, whose operands are f16, take its numbers without rounding. */
  readonly exactInHalf: boolean;
  /** The array of its elements on the host; of blocks, all segments as they lie in memory. */
  readonly host: new (
    bytes: ArrayBuffer,
  ) => HostArray;
  /** From numbers to what is stored. */
  encode(values: ArrayLike<number>): HostArray;
  /** Back; blocks must be told how many elements they are. */
  decode(host: HostArray, elements: number): Float32Array;
}

const FORMATS = {
  f32: {
    file: 'F32',
    torch: 'float32',
    kind: 'float',
    segments: [{ elements: 1, bytes: 4 }],
    load: 4,
    exactInHalf: false,
    host: Float32Array,
    encode: wide,
    decode: wide,
  },
  f16: {
    file: 'F16',
    torch: 'float16',
    kind: 'float',
    segments: [{ elements: 1, bytes: 2 }],
    load: 8,
    exactInHalf: true,
    host: Uint16Array,
    encode: (values) => f32ToF16(wide(values)),
    decode: (host) => f16ToF32(host as Uint16Array),
  },
  bf16: {
    file: 'BF16',
    torch: 'bfloat16',
    kind: 'float',
    segments: [{ elements: 1, bytes: 2 }],
    load: 8,
    exactInHalf: true,
    host: Uint16Array,
    encode: (values) => f32ToBf16(wide(values)),
    decode: (host) => bf16ToF32(host as Uint16Array),
  },
  nf4: {
    file: null,
    torch: 'nf4',
    kind: 'blocks',
    // Two codes to a byte, the first in its upper half, as bitsandbytes packs them.
    segments: [
      { elements: 8, bytes: 4 },
      { name: 'absmax', elements: NF4_BLOCK, bytes: 4 },
    ],
    load: 8,
    exactInHalf: false,
    host: Uint32Array,
    encode: encodeNf4,
    decode: decodeNf4,
  },
  int4: {
    file: null,
    torch: 'int4',
    kind: 'blocks',
    segments: [
      { elements: 8, bytes: 4 },
      { name: 'absmax', elements: INT4_BLOCK, bytes: 4 },
    ],
    load: 8,
    exactInHalf: false,
    host: Uint32Array,
    encode: encodeInt4,
    decode: decodeInt4,
  },
  i32: {
    file: 'I32',
    torch: 'int32',
    kind: 'integer',
    segments: [{ elements: 1, bytes: 4 }],
    load: 1,
    exactInHalf: false,
    host: Int32Array,
    encode: (values) => (values instanceof Int32Array ? values : Int32Array.from(integers(values, 'i32'))),
    decode: wide,
  },
  u32: {
    file: 'U32',
    torch: 'uint32',
    kind: 'integer',
    segments: [{ elements: 1, bytes: 4 }],
    load: 1,
    exactInHalf: false,
    host: Uint32Array,
    encode: (values) => (values instanceof Uint32Array ? values : Uint32Array.from(integers(values, 'u32'))),
    decode: wide,
  },
} as const satisfies Record<string, Format>;

/** Names of formats; a tensor's `dtype`. */
export type DType = keyof typeof FORMATS;

/** All formats. */
export const DTYPES = Object.keys(FORMATS) as readonly DType[];

/** Formats of plain floating-point numbers: what trains, and what weights and caches are stored in. */
export type FloatDType = {
  [Name in DType]: (typeof FORMATS)[Name]['kind'] extends 'float' ? Name : never;
}[DType];

/** The names of {@link FloatDType}. */
export const FLOATS = DTYPES.filter((name): name is FloatDType => FORMATS[name].kind === 'float');

/** Formats that weights are multiplied in: {@link FloatDType}, and those of blocks. */
export type WeightFormat = {
  [Name in DType]: (typeof FORMATS)[Name]['kind'] extends 'integer' ? never : Name;
}[DType];

/** The names of {@link WeightFormat}. */
export const WEIGHTS = DTYPES.filter((name): name is WeightFormat => FORMATS[name].kind !== 'integer');

/** PyTorch's names of {@link FLOATS}, which configs use. */
export type TorchFloat = (typeof FORMATS)[FloatDType]['torch'];

/** The names of {@link TorchFloat}. */
export const TORCH_FLOATS: readonly TorchFloat[] = FLOATS.map((name) => FORMATS[name].torch);

/** @internal A row of the table, with the literal types of its names. */
export function formatOf<Name extends DType>(dtype: Name): (typeof FORMATS)[Name] & Format {
  check(
    Object.hasOwn(FORMATS, dtype),
    'dtype',
    () => `dtype "${dtype}" is unknown; use one of ${DTYPES.join(', ')}`,
  );
  return FORMATS[dtype];
}

/** The format that PyTorch calls `name`. */
export function fromTorch(name: TorchFloat): FloatDType {
  return FLOATS.find((dtype) => FORMATS[dtype].torch === name) as FloatDType;
}

/** The format that safetensors files call `name`, if it is one of ours. */
export function fromFile(name: string): DType | undefined {
  return DTYPES.find((dtype) => FORMATS[dtype].file === name);
}

/** Segments start at multiples of this many bytes, where every adapter can bind. */
const SEGMENT_ALIGNMENT = 256;

/** A segment in the memory of a tensor. */
export interface PlacedSegment extends FormatSegment {
  readonly offset: number;
  readonly size: number;
}

/** Where the segments of so many elements lie. */
export function placeSegments({ segments }: Pick<Format, 'segments'>, elements: number): PlacedSegment[] {
  let end = 0;
  return segments.map((segment) => {
    const offset = nextPlace(end);
    end = offset + segmentBytes(segment, elements);
    return { ...segment, offset, size: end - offset };
  });
}

function nextPlace(end: number): number {
  return Math.ceil(end / SEGMENT_ALIGNMENT) * SEGMENT_ALIGNMENT;
}

function segmentBytes(segment: FormatSegment, elements: number): number {
  const shares = Number.isFinite(segment.elements) ? Math.ceil(elements / segment.elements) : 1;
  return shares * segment.bytes;
}

/** Where elements [first, first + count) of a tensor of `total` lie, segment by segment. */
export function segmentsWithin(
  format: Pick<Format, 'segments'>,
  total: number,
  first: number,
  count: number,
): PlacedSegment[] {
  return placeSegments(format, total).map((segment) => {
    const { elements, bytes, offset } = segment;
    if (!Number.isFinite(elements)) return segment;
    const size = Math.ceil(count / elements) * bytes;
    return { ...segment, offset: offset + Math.ceil(first / elements) * bytes, size };
  });
}

/** Bytes of so many elements. */
export function bytesOf(dtype: DType, elements: number): number {
  let end = 0;
  // Asked several times a launch: nothing is made for it.
  for (const segment of formatOf(dtype).segments) end = nextPlace(end) + segmentBytes(segment, elements);
  return end;
}

/** Converts numbers to the host representation of a dtype. */
export function encode(values: ArrayLike<number>, dtype: DType): HostArray {
  return formatOf(dtype).encode(values);
}

/** Converts the host representation of a dtype, of so many elements, to f32 numbers. */
export function decode(host: HostArray, dtype: DType, elements: number = host.length): Float32Array {
  return formatOf(dtype).decode(host, elements);
}

function encodeNf4(values: ArrayLike<number>): Uint32Array {
  const memory = new Uint8Array(bytesOf('nf4', values.length));
  const [packed, scales] = placeSegments(FORMATS.nf4, values.length);
  const { codes, absmax } = quantizeNf4(wide(values));
  memory.set(codes, packed.offset);
  memory.set(new Uint8Array(absmax.buffer), scales.offset);
  return new Uint32Array(memory.buffer);
}

function decodeNf4(host: HostArray, elements: number): Float32Array {
  const [packed, scales] = placeSegments(FORMATS.nf4, elements);
  const { buffer, byteOffset } = host;
  return nf4ToF32(
    new Uint8Array(buffer, byteOffset + packed.offset, packed.size),
    new Float32Array(buffer, byteOffset + scales.offset, elements / NF4_BLOCK),
  );
}

function encodeInt4(values: ArrayLike<number>): Uint32Array {
  const memory = new Uint32Array(bytesOf('int4', values.length) / 4);
  const [packed, described] = placeSegments(FORMATS.int4, values.length);
  const { codes, blocks } = quantizeInt4(wide(values));
  memory.set(codes, packed.offset / 4);
  memory.set(blocks, described.offset / 4);
  return memory;
}

function decodeInt4(host: HostArray, elements: number): Float32Array {
  const segments = placeSegments(FORMATS.int4, elements);
  const [codes, blocks] = segments.map(
    ({ offset, size }) => new Uint32Array(host.buffer as ArrayBuffer, host.byteOffset + offset, size / 4),
  );
  return int4ToF32({ codes, blocks });
}

function wide(values: ArrayLike<number>): Float32Array {
  return values instanceof Float32Array ? values : Float32Array.from(values);
}

function integers(values: ArrayLike<number>, dtype: 'i32' | 'u32'): ArrayLike<number> {
  const [least, most] = dtype === 'i32' ? [-(2 ** 31), 2 ** 31 - 1] : [0, 2 ** 32 - 1];
  for (let i = 0; i < values.length; i++) {
    check(Number.isInteger(values[i]) && values[i] >= least && values[i] <= most, 'value', () => {
      return `value ${values[i]} at index ${i} is not a ${dtype}`;
    });
  }
  return values;
}
