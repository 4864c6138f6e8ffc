/** From fields to pictures in bytes, and to PNG files whose bytes depend on nothing but the picture. */
import { deflate } from './deflate.js';
import { type At, Field } from './field.js';

/** A square picture of 8 bits, grey or RGB, row by row. */
export interface Picture {
  readonly size: number;
  readonly channels: 1 | 3;
  readonly pixels: Uint8Array;
}

/** Fields of red, green and blue, or one of grey, with values from 0 to 1. */
export type Channels = readonly [Field] | readonly [Field, Field, Field];

/** Three fields from one function of place. */
export function colourField(
  size: number,
  colour: (x: number, y: number) => readonly [number, number, number],
) {
  const fields = [new Field(size), new Field(size), new Field(size)] as const;
  for (let row = 0, i = 0; row < size; row++) {
    for (let column = 0; column < size; column++, i++) {
      const value = colour((column + 0.5) / size, (row + 0.5) / size);
      for (let k = 0; k < 3; k++) (fields[k] as Field).values[i] = value[k] as number;
    }
  }
  return fields;
}

/** Grey values through a display window: `low` is black, `high` is white. */
export function windowed(field: Field, low: number, high: number): [Field] {
  return [field.paint((value) => (value - low) / (high - low))];
}

/** The picture at a smaller size, each pixel the mean of those that it stands for. */
export function toPicture(channels: Channels, size: number): Picture {
  const from = channels[0].size;
  const factor = from / size;
  const pixels = new Uint8Array(size * size * channels.length);
  for (let row = 0, out = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      for (const { values } of channels) {
        let sum = 0;
        for (let dy = 0; dy < factor; dy++) {
          const start = (row * factor + dy) * from + column * factor;
          for (let dx = 0; dx < factor; dx++) sum += Math.min(1, Math.max(0, values[start + dx] as number));
        }
        pixels[out++] = Math.round((255 * sum) / factor ** 2);
      }
    }
  }
  return { size, channels: channels.length, pixels };
}

/** Darkens towards the rim of a round aperture, black beyond it. */
export function aperture(radius: number): At {
  return (x, y) => {
    const distance = Math.hypot(x - 0.5, y - 0.5);
    if (distance > radius) return 0;
    return Math.min(1, (radius - distance) / 0.01) * (1 - 0.35 * (distance / radius) ** 4);
  };
}

/** A PNG file. */
export function encodePng({ size, channels, pixels }: Picture): Uint8Array {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, size);
  view.setUint32(4, size);
  header.set([8, channels === 1 ? 0 : 2, 0, 0, 0], 8);
  const parts = [
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    chunk('IHDR', header),
    chunk('IDAT', deflate(filtered(size, channels, pixels))),
    chunk('IEND', new Uint8Array(0)),
  ];
  const file = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}

/**
 * Rows with the filter that leaves the smallest differences: to the left, above, or Paeth's guess from both. Of equally
 * good ones the first, so that the choice is the same everywhere.
 */
function filtered(size: number, channels: number, pixels: Uint8Array): Uint8Array {
  const stride = size * channels;
  const out = new Uint8Array(size * (stride + 1));
  const candidates = [1, 2, 4].map((filter) => ({ filter, row: new Uint8Array(stride) }));
  for (let y = 0; y < size; y++) {
    let best = Number.POSITIVE_INFINITY;
    for (const { filter, row } of candidates) {
      let cost = 0;
      for (let i = 0; i < stride; i++) {
        const at = y * stride + i;
        const left = i >= channels ? (pixels[at - channels] as number) : 0;
        const above = y > 0 ? (pixels[at - stride] as number) : 0;
        const corner = i >= channels && y > 0 ? (pixels[at - stride - channels] as number) : 0;
        const guess = filter === 1 ? left : filter === 2 ? above : paeth(left, above, corner);
        const rest = ((pixels[at] as number) - guess) & 255;
        row[i] = rest;
        cost += rest < 128 ? rest : 256 - rest;
      }
      if (cost >= best) continue;
      best = cost;
      out[y * (stride + 1)] = filter;
      out.set(row, y * (stride + 1) + 1);
    }
  }
  return out;
}

function paeth(left: number, above: number, corner: number): number {
  const guess = left + above - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - above), Math.abs(guess - corner)];
  return a <= b && a <= c ? left : b <= c ? above : corner;
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const out = new Uint8Array(12 + data.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) out[4 + i] = type.charCodeAt(i);
  out.set(data, 8);
  view.setUint32(8 + data.length, crc32(out.subarray(4, 8 + data.length)));
  return out;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (CRC_TABLE[(crc ^ byte) & 255] as number) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
