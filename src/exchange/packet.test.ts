import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodePacket, digestOf, encodePacket, PacketError } from './packet.js';

const packet = {
  json: { name: 'größe', list: [1, 0.1, -0] },
  arrays: {
    a: Float32Array.of(1.5, Number.NaN, -0),
    b: Float64Array.of(Number.POSITIVE_INFINITY, 0.1),
    c: Uint16Array.of(1, 2, 3),
    empty: new Int32Array(),
  },
};

it('gives back what went in, from bytes anywhere in memory', async () => {
  const bytes = encodePacket(packet);
  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  const found = decodePacket(shifted.subarray(3));
  expect(found.arrays).toEqual(packet.arrays);
  expect(found.json).toEqual({ name: 'größe', list: [1, 0.1, 0] });
  expect(encodePacket(packet)).toEqual(bytes);
  expect(await digestOf(new Uint8Array())).toMatch(/^e3b0c44298fc1c149afbf4c8996fb924/);
});

it('refuses bytes that are no packet, and nothing else happens', () => {
  const bytes = encodePacket(packet);
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.nat(255), fc.boolean(), (at, value, cut) => {
      const broken = cut ? bytes.slice(0, at) : Uint8Array.from(bytes, (b, i) => (i === at ? value : b));
      try {
        decodePacket(broken);
      } catch (error) {
        expect(error).toBeInstanceOf(PacketError);
      }
    }),
    { numRuns: 300 },
  );
});
