/** Values as bytes: JSON and typed arrays, the same bytes for the same values. */

/** What can be written as JSON. */
export type PacketJson =
  | null
  | boolean
  | number
  | string
  | readonly PacketJson[]
  | { readonly [key: string]: PacketJson };

/** Arrays that a packet can have. */
export type PacketArray = Float32Array | Float64Array | Int32Array | Uint32Array | Uint16Array | Uint8Array;

/** A value that travels. Numbers that JSON has no words for, such as NaN, must be in arrays. */
export interface Packet {
  readonly json: PacketJson;
  readonly arrays: Readonly<Record<string, PacketArray>>;
}

/** Bytes that are no packet: damaged, or of another version. */
export class PacketError extends Error {}

const TYPES = { Float32Array, Float64Array, Int32Array, Uint32Array, Uint16Array, Uint8Array } as const;
type TypeName = keyof typeof TYPES;

interface Head {
  readonly json: PacketJson;
  /** Name, type and number of elements. */
  readonly arrays: readonly (readonly [string, TypeName, number])[];
}

/** Arrays begin at multiples of this, as the widest elements must. */
const ALIGNMENT = 8;

/** Length of the head, head, arrays. */
export function encodePacket({ json, arrays }: Packet): Uint8Array<ArrayBuffer> {
  const entries = Object.entries(arrays);
  const head: Head = {
    json,
    arrays: entries.map(([name, array]) => [name, array.constructor.name as TypeName, array.length]),
  };
  const text = new TextEncoder().encode(JSON.stringify(head));
  let size = aligned(4 + text.length);
  for (const [, array] of entries) size += aligned(array.byteLength);
  const bytes = new Uint8Array(size);
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, 4);
  let at = aligned(4 + text.length);
  for (const [, array] of entries) {
    bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), at);
    at += aligned(array.byteLength);
  }
  return bytes;
}

/** The packet that bytes hold; its arrays have memory of their own. */
export function decodePacket(bytes: Uint8Array): Packet {
  const head = headOf(bytes);
  let at = aligned(4 + lengthOf(bytes));
  const arrays: Record<string, PacketArray> = {};
  for (const [name, type, length] of head.arrays) {
    const Type = Object.hasOwn(TYPES, type) ? TYPES[type] : undefined;
    const size = Type && Number.isSafeInteger(length) && length >= 0 ? length * Type.BYTES_PER_ELEMENT : -1;
    if (!Type || size < 0 || at + size > bytes.length)
      throw new PacketError('has an array that is not there');
    arrays[name] = new Type(bytes.slice(at, at + size).buffer);
    at += aligned(size);
  }
  if (at !== bytes.length) throw new PacketError(`has ${bytes.length} bytes, not ${at}`);
  return { json: head.json, arrays };
}

function headOf(bytes: Uint8Array): Head {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(4, 4 + lengthOf(bytes)));
    const head = JSON.parse(text) as Head;
    if (Array.isArray(head.arrays)) return head;
  } catch {
    // Said below.
  }
  throw new PacketError('has no readable head');
}

function lengthOf(bytes: Uint8Array): number {
  if (bytes.length < 4) throw new PacketError('is too short');
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  if (4 + length > bytes.length) throw new PacketError('is too short');
  return length;
}

function aligned(size: number): number {
  return Math.ceil(size / ALIGNMENT) * ALIGNMENT;
}

/** SHA-256 of bytes, in hexadecimal. */
export async function digestOf(bytes: Uint8Array): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>));
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Lists of numbers end to end, with what it takes to cut them apart again. */
export function joinLists(lists: readonly ArrayLike<number>[]): { lengths: number[]; values: number[] } {
  return { lengths: lists.map(({ length }) => length), values: lists.flatMap((list) => Array.from(list)) };
}

/** What {@link joinLists} put together. */
export function cutLists<T>(values: Sliceable<T>, lengths: readonly number[]): T[] {
  let at = 0;
  return lengths.map((length) => {
    at += length;
    return values.slice(at - length, at);
  });
}

/** An array, or a typed one. */
interface Sliceable<T> {
  slice(from: number, to: number): T;
}
