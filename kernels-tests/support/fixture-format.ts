/** Fixtures of kernels, out of bytes. */

/** A tensor of a fixture: f32 or integer numbers with a shape. */
export interface FixtureTensor {
  readonly shape: number[];
  readonly data: Float32Array | Int32Array;
}

/** Reads the F32, I32 and I64 tensors of a safetensors file. */
export function parseFixture(bytes: Uint8Array): Record<string, FixtureTensor> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = Number(view.getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerBytes))) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const out: Record<string, FixtureTensor> = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const [from, to] = entry.data_offsets.map((offset) => offset + 8 + headerBytes);
    // A copy: a Buffer of Node would slice without one.
    const own = new Uint8Array(bytes.subarray(from, to)).buffer;
    const read: Record<string, () => Float32Array | Int32Array> = {
      F32: () => new Float32Array(own),
      I32: () => new Int32Array(own),
      I64: () => Int32Array.from(new BigInt64Array(own), Number),
    };
    out[name] = { shape: entry.shape, data: read[entry.dtype]() };
  }
  return out;
}
