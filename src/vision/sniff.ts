/** What kind of file some bytes are, by how they begin: names lie. */

import type { PictureFormat } from '../platform/ports/pictures.js';

/** Kinds of image that can be read. */
export type ImageFormat = PictureFormat | 'dicom';

/** What a file begins with, at which byte. */
const SIGNATURES: readonly (readonly [ImageFormat, number, string])[] = [
  ['png', 0, '\x89PNG\r\n\x1a\n'],
  ['jpeg', 0, '\xff\xd8\xff'],
  ['webp', 8, 'WEBP'],
  ['tiff', 0, 'II*\0'],
  ['tiff', 0, 'MM\0*'],
  ['tiff', 0, 'II+\0'],
  ['tiff', 0, 'MM\0+'],
  ['gif', 0, 'GIF87a'],
  ['gif', 0, 'GIF89a'],
  ['dicom', 128, 'DICM'],
];

/** What people have most often in place of a readable image, and what to do about it. */
const FOREIGN: readonly (readonly [number, string, string])[] = [
  [0, 'version https://git-lfs', 'is a git-lfs pointer, not the image itself; run git lfs pull'],
  [0, 'BM', 'is a BMP image, which is not supported; convert it to PNG'],
  [0, '%PDF', 'is a PDF document, not an image; render its pages to PNG'],
  [0, '\x1f\x8b', 'is compressed with gzip; unpack it first'],
  [0, 'PK\x03\x04', 'is a zip archive; unpack it first'],
  [344, 'n+1\0', 'is a NIfTI volume; export its slices as PNG or DICOM'],
  [4, 'ftyp', 'is a HEIF, AVIF or video file, which is not supported; convert it to PNG'],
  [0, '\0\0\0\x0cjP  ', 'is a JPEG 2000 image outside DICOM, which is not supported; convert it to PNG'],
  [0, '<', 'is a text file (a web page or SVG), not an image; the download may have failed, fetch it again'],
  [0, '{', 'is a text file, not an image'],
];

function has(bytes: Uint8Array, at: number, text: string): boolean {
  if (bytes.length < at + text.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** The kind of an image; `undefined` if it is none that can be read. */
export function imageFormat(bytes: Uint8Array): ImageFormat | undefined {
  return SIGNATURES.find(
    ([format, at, text]) => has(bytes, at, text) && (format !== 'webp' || has(bytes, 0, 'RIFF')),
  )?.[0];
}

/** Why a file that has no known signature cannot be read, as a sentence's predicate. */
export function foreignProblem(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'is empty';
  const found = FOREIGN.find(([at, text]) => has(bytes, at, text));
  return found?.[2] ?? 'is no PNG, JPEG, WebP, TIFF, GIF or DICOM file, or its beginning is damaged';
}
