/** No message repeats what a DICOM file says of a patient, whatever is wrong with the file. */
import { expect, it } from 'vitest';
import { decodeImage } from '../decode.js';
import { ImageError } from '../errors.js';
import { imageSize } from '../size.js';
import { markedDicom, marksIn } from '../test-dicom.js';

const { bytes, marks } = markedDicom();

/** Numbers that are random enough, and the same in each run. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Cut off, with some bytes changed, without some, or with some moved, so that fields are read at wrong places. */
function damaged(seed: number): Uint8Array {
  const next = random(seed);
  const copy = Buffer.from(bytes);
  const at = 128 + next(copy.length - 160);
  switch (seed % 4) {
    case 0:
      return copy.subarray(0, at);
    case 1:
      for (let i = 0; i < 3; i++) copy[128 + next(copy.length - 128)] ^= 1 << next(8);
      return copy;
    case 2:
      return Buffer.concat([copy.subarray(0, at), copy.subarray(at + 2 * (1 + next(8)))]);
    default:
      return copy.copyWithin(at, 128 + next(copy.length - 160), copy.length - 16);
  }
}

it('shows the picture and none of the marks', async () => {
  const image = await decodeImage(bytes);
  expect([image.width, image.height]).toEqual([16, 12]);
  expect(marks.length).toBeGreaterThan(50);
  expect(marksIn(bytes, marks)).toEqual(marks);
  expect(marksIn(image.data, marks)).toEqual([]);
});

it('names no mark of a damaged file', async () => {
  let failures = 0;
  const check = (error: unknown) => {
    failures++;
    expect(error).toBeInstanceOf(ImageError);
    expect(marksIn(String((error as Error).stack), marks)).toEqual([]);
  };
  for (let seed = 0; seed < 600; seed++) {
    const file = damaged(seed);
    await decodeImage(file, { name: 'x.dcm' }).catch(check);
    await imageSize(file, 'x.dcm').catch(check);
  }
  expect(failures).toBeGreaterThan(150);
});

it('names no mark where a word of the picture should be', async () => {
  for (const place of ['1.2.840.10008.1.2.1', 'MONOCHROME2']) {
    for (const mark of marks) {
      const file = Buffer.from(bytes);
      file.write(mark.slice(0, place.length).padEnd(place.length), file.indexOf(place), 'latin1');
      const error = await decodeImage(file, { name: 'x.dcm' }).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(ImageError);
      expect((error as Error).message).not.toContain(mark.slice(0, place.length));
    }
  }
});
