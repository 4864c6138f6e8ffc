import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { type DecodeOptions, decodeFrames, decodeImage } from '../decode.js';
import { ImageError } from '../errors.js';
import { fixture, fromBase64 } from '../test-images.js';

interface Case {
  file: string;
  height: number;
  width: number;
  frames: string[];
  tolerance: number;
  options: Parameters<typeof decodeFrames>[1];
}

let cases: Record<string, Case>;
beforeAll(async () => {
  cases = await fixture('dicoms.json');
});

const file = (name: string) => fromBase64((cases[name] as Case).file);

/** A copy whose attribute has another value of two bytes; explicit little endian only. */
function withUint16(bytes: Uint8Array, group: number, element: number, value: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const view = new DataView(copy.buffer);
  for (let i = 132; i + 10 < copy.length; i += 2) {
    if (
      view.getUint16(i, true) === group &&
      view.getUint16(i + 2, true) === element &&
      copy[i + 4] === 0x55
    ) {
      view.setUint16(i + 8, value, true);
      return copy;
    }
  }
  throw new Error('no such attribute');
}

/** The meta header of a deflated file, whose length is its first attribute, and the rest as it was. */
function deflatedParts(bytes: Uint8Array): { head: Uint8Array; body: Uint8Array } {
  const end = 144 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(140, true);
  return { head: bytes.subarray(0, end), body: inflateRawSync(bytes.subarray(end)) };
}

describe('decodeDicom', () => {
  it('shows what pydicom shows', async () => {
    const wrong: string[] = [];
    for (const [name, item] of Object.entries(cases)) {
      try {
        const images = await decodeFrames(fromBase64(item.file), { name, ...item.options });
        expect(images.length).toBe(item.frames.length);
        images.forEach(({ width, height, data }, i) => {
          expect([width, height]).toEqual([item.width, item.height]);
          const expected = fromBase64(item.frames[i] as string);
          const worst = data.reduce(
            (max, level, at) => Math.max(max, Math.abs(level - (expected[at] as number))),
            0,
          );
          expect(worst).toBeLessThanOrEqual(item.tolerance);
        });
      } catch (error) {
        wrong.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('gives the middle frame unless asked', async () => {
    const image = await decodeImage(file('frames-all'));
    expect(image.data).toEqual(fromBase64(cases['frames-middle']?.frames[0] as string));
    await expect(decodeImage(file('frames-all'), { name: 'v.dcm', frame: 5 })).rejects.toThrow(
      'v.dcm is a DICOM file with 5 frames, so there is no frame 5',
    );
  });

  it('refuses sizes that the data does not bear out', async () => {
    const decode = (bytes: Uint8Array, options?: DecodeOptions) =>
      decodeImage(bytes, { name: 'x.dcm', ...options });
    const native = file('u12');
    await expect(decode(withUint16(native, 0x28, 0x10, 21))).rejects.toThrow(
      'where its size needs 1092; it is truncated',
    );
    await expect(decode(withUint16(native, 0x28, 0x10, 0))).rejects.toThrow('has the size 26x0');
    await expect(decode(withUint16(native, 0x28, 0x10, 65535), { maxPixels: 10000 })).rejects.toThrow(
      'over the limit',
    );
    await expect(decode(withUint16(native, 0x28, 0x100, 12))).rejects.toThrow('has 12 bits a sample');
    await expect(decode(withUint16(native, 0x28, 0x101, 17))).rejects.toThrow('stores 17 bits in 16');
    await expect(decode(withUint16(native, 0x28, 0x02, 4))).rejects.toThrow('has 4 samples a pixel');
    for (const name of ['u12-rle', 'u12-lossless-1', 'u12-ls', 'u12-j2k', 'jpeg']) {
      await expect(
        decode(withUint16(file(name), 0x28, 0x11, 60000), { maxPixels: 2e6 }),
        name,
      ).rejects.toThrow(ImageError);
    }
    await expect(decode(file('frames-all'), { maxPixels: 5 * 20 * 26 - 1 })).resolves.toBeDefined();
    await expect(decodeFrames(file('frames-all'), { maxPixels: 5 * 20 * 26 - 1 })).rejects.toThrow(
      'take fewer frames',
    );
  });

  it('inflates a deflated file no further than its size needs', async () => {
    const decode = (bytes: Uint8Array) => decodeImage(bytes, { name: 'x.dcm' });
    const whole = file('u12-deflated');
    await expect(decodeImage(whole, { name: 'x.dcm', maxPixels: 10 })).rejects.toThrow(
      'over the limit of 10',
    );
    const { head, body } = deflatedParts(whole);
    const zeros = new Uint8Array(64 << 20);
    const after = Buffer.concat([head, deflateRawSync(Buffer.concat([body, zeros]))]);
    await expect(decode(after)).rejects.toThrow('which is more than its size needs');
    // (0009,1001) UN: a private attribute of 64 MiB, before all others.
    const attribute = Uint8Array.of(9, 0, 1, 16, 0x55, 0x4e, 0, 0, 0, 0, 0, 4);
    const before = Buffer.concat([head, deflateRawSync(Buffer.concat([attribute, zeros, body]))]);
    await expect(decode(before)).rejects.toThrow('before any pixels begin');
    const padded = Buffer.concat([head, deflateRawSync(Buffer.concat([body, new Uint8Array(1000)]))]);
    await expect(decode(padded)).resolves.toEqual(await decode(whole));
  });

  it('refuses a JPEG 2000 frame that has a header and an end, and nothing between', async () => {
    const whole = file('u12-j2k');
    const text = Buffer.from(whole);
    const start = text.indexOf(Buffer.from('ff93', 'hex'));
    const end = text.lastIndexOf(Buffer.from('ffd9', 'hex'));
    const sot = text.lastIndexOf(Buffer.from('ff90', 'hex'), start);
    const bytes = Uint8Array.from(whole);
    // Padding of comments in place of the data keeps the length of the fragment.
    const comment = Uint8Array.of(0xff, 0x64, (end - start - 4) >> 8, (end - start - 4) & 0xff);
    bytes.copyWithin(sot + (end - start - 2), sot, start + 2);
    bytes.set(comment, sot);
    bytes.fill(0, sot + 4, sot + (end - start - 2));
    new DataView(bytes.buffer).setUint32(sot + (end - start - 2) + 6, start + 2 - sot);
    await expect(decodeImage(bytes, { name: 'x.dcm' })).rejects.toThrow('it has tiles without data');
  });

  it('refuses what is cut off', async () => {
    for (const name of [
      'u8',
      'u12-rle',
      'u12-lossless-1',
      'u12-ls',
      'u12-j2k',
      'jpeg',
      'u12-deflated',
      'frames-rle',
    ]) {
      const whole = file(name);
      for (const missing of [20, 200]) {
        const cut = whole.subarray(0, whole.length - missing);
        await expect(decodeFrames(cut, { name }), `${name} less ${missing}`).rejects.toThrow(ImageError);
      }
      // A decoder that has failed once is replaced.
      await expect(decodeFrames(whole, { name })).resolves.toBeDefined();
    }
  });

  it('refuses a codestream that is cut off within a whole file', async () => {
    for (const name of [
      'u12-lossless-1',
      'u12-ls',
      'u12-j2k',
      'jpeg',
      'jpeg-colour',
      'j2k-lossy',
      'u12-rle',
    ]) {
      const bytes = file(name);
      // The last item loses its end; the end of the sequence, eight bytes, stays.
      const missing = 60;
      const item = Buffer.from(bytes).lastIndexOf(Buffer.from([0xfe, 0xff, 0x00, 0xe0]));
      const cut = new Uint8Array(bytes.length - missing);
      cut.set(bytes.subarray(0, cut.length - 8));
      cut.set(bytes.subarray(-8), cut.length - 8);
      const view = new DataView(cut.buffer);
      view.setUint32(item + 4, view.getUint32(item + 4, true) - missing, true);
      await expect(decodeFrames(cut, { name }), name).rejects.toThrow(ImageError);
    }
  });

  it('names what it cannot read', async () => {
    const text = (name: string, from: string, to: string) => {
      const bytes = Buffer.from(file(name));
      bytes.write(to, bytes.indexOf(from), 'latin1');
      return decodeImage(bytes, { name: 'x.dcm' });
    };
    await expect(text('jpeg', '1.2.840.10008.1.2.4.50', '1.2.840.10008.1.2.4.10')).rejects.toThrow(
      'unknown transfer syntax',
    );
    await expect(text('u12-lossless-sv1', '1.2.4.70', '1.2.4.99')).rejects.toThrow(
      'which is not supported; convert it',
    );
    await expect(text('u12', 'MONOCHROME2', 'CMYK       ')).rejects.toThrow('"CMYK"');
    await expect(decodeImage(file('u12').subarray(0, 132), { name: 'x.dcm' })).rejects.toThrow(
      'no transfer syntax',
    );
  });
});
