/** Cyclic redundancy checks of 32 bits, for formats that are full of them. */

type Crc = (bytes: Uint8Array) => number;

function crc32(reversedPolynomial: number): Crc {
  const table = Uint32Array.from({ length: 256 }, (_, n) => {
    let c = n;
    for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ reversedPolynomial : c >>> 1;
    return c >>> 0;
  });
  return (bytes) => {
    let crc = 0xffffffff;
    for (const byte of bytes) crc = table[(crc ^ byte) & 0xff] ^ (crc >>> 8);
    return (crc ^ 0xffffffff) >>> 0;
  };
}

/** That of Ethernet, zip and Weights & Biases. */
export const crc32Ieee: Crc = crc32(0xedb88320);

/** That of Castagnoli: iSCSI and TensorFlow. */
export const crc32c: Crc = crc32(0x82f63b78);
