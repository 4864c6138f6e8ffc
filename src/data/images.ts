/** Image paths of datasets are untrusted: they must stay inside the dataset's folder. */
import { readWholeFile } from '../platform/files.js';
import { type Message, mapImages } from '../text/messages.js';
import { bytesPicture, type Picture } from '../vision/picture.js';
import { DataError } from './errors.js';
import type { ImageSource, SampleFields } from './question.js';

/** What is wrong with a path, as a sentence's predicate; undefined when it stays inside the folder. */
export function pathProblem(path: string): string | undefined {
  if (path === '') return 'is empty; give a path relative to the dataset folder';
  if (path.includes('\0')) return 'has a zero byte';
  if (/^[A-Za-z][A-Za-z0-9+.-]*:/.test(path)) {
    return 'is a URL or a drive path; put the file in the dataset folder and give its relative path';
  }
  if (/^[/\\]/.test(path)) return 'is absolute; give a path relative to the dataset folder';
  let depth = 0;
  for (const part of path.split(/[/\\]/)) {
    if (part === '..') depth--;
    else if (part !== '' && part !== '.') depth++;
    if (depth < 0) return 'leaves the dataset folder';
  }
  return depth === 0 ? 'names no file' : undefined;
}

/** Key of a picture of a sample: equal for the same file, and for equal bytes inside of dataset files. */
export function imageKey(sample: SampleFields, image: ImageSource): string {
  if (typeof image !== 'string') return contentKey(image.bytes);
  return imageFile(sample, image) as string;
}

function contentKey(bytes: Uint8Array): string {
  let a = 0x811c9dc5;
  let b = 0x9747b28c;
  for (const byte of bytes) {
    a = Math.imul(a ^ byte, 0x01000193);
    b = Math.imul(b ^ byte, 0x5bd1e995);
  }
  return `bytes:${bytes.length}:${(a >>> 0).toString(16)}:${(b >>> 0).toString(16)}`;
}

/** A name for a picture in messages and reports. */
export function imageName(image: ImageSource): string {
  return typeof image === 'string' ? image : image.name;
}

/** The file of a picture given by path; undefined for one whose bytes came with the dataset. */
export function imageFile(sample: SampleFields, image: ImageSource): string | undefined {
  if (typeof image !== 'string') return undefined;
  const root = sample.source?.root ?? '';
  return root === '' ? normalise(image) : `${root.replace(/[/\\]$/, '')}/${normalise(image)}`;
}

/** A picture of a sample, to be read. */
export function pictureOf(sample: SampleFields, image: ImageSource): Picture {
  if (typeof image !== 'string') return bytesPicture(image.name, image.bytes);
  const path = imageFile(sample, image) as string;
  return { name: path, key: path, read: () => readImage(sample, path) };
}

/** Messages of a sample with their pictures to be read. */
export function withPictures(
  sample: SampleFields,
  messages: readonly Message<ImageSource>[],
): Message<Picture>[] {
  return mapImages(messages, (image) => pictureOf(sample, image as ImageSource));
}

async function readImage({ source }: SampleFields, path: string): Promise<Uint8Array> {
  try {
    return await readWholeFile(path);
  } catch (error) {
    const { file = 'the dataset', line } = source ?? {};
    const place = line === undefined ? { file } : { file, line };
    throw new DataError({ ...place, field: 'image' }, `cannot be used: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function normalise(path: string): string {
  const out: string[] = [];
  for (const part of path.split(/[/\\]/)) {
    if (part === '..') out.pop();
    else if (part !== '' && part !== '.') out.push(part);
  }
  return out.join('/');
}
