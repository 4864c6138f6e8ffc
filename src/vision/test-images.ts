/** Pictures and fixtures that the tests of this folder share; fixtures are made by reference/vision*.py. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { RgbImage } from './image.js';

/** The same pictures that reference/vision.py makes. */
export function picture(height: number, width: number, kind: string): RgbImage {
  const data = new Uint8Array(height * width * 3);
  for (let i = 0; i < data.length; i++) {
    if (kind === 'noise') {
      let x = (Math.imul(i, 2654435761) + 12345) >>> 0;
      x = (x ^ (x >>> 15)) >>> 0;
      data[i] = Math.imul(x, 2246822519) >>> 24;
    } else {
      const pixel = Math.floor(i / 3);
      const stripe = Math.floor(Math.floor(pixel / width) / 5) + Math.floor((pixel % width) / 7) + (i % 3);
      data[i] = stripe % 2 === 0 ? 0 : 255;
    }
  }
  return { width, height, data };
}

/** A file of src/vision/fixtures. */
export async function fixture<T>(name: string): Promise<T> {
  return JSON.parse(await readFile(new URL(`./fixtures/${name}`, import.meta.url), 'utf8')) as T;
}

/** SHA-256 of an array's bytes. */
export function sha256(array: Uint8Array | Float32Array): string {
  return createHash('sha256')
    .update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength))
    .digest('hex');
}

/** Bytes of base64. */
export function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'base64'));
}
