import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from '../tensor/half.js';
import { asBytes, DTYPES, dtypeBytes, elementCount, fromF32, isDtype, toF32, viewAs } from './dtypes.js';

const ALL = Uint16Array.from({ length: 65536 }, (_, i) => i);
const bits = (values: Float32Array) => new Uint32Array(values.buffer);
const fromBits = (...words: number[]) => new Float32Array(Uint32Array.from(words).buffer);

/** What an IEEE half or bfloat is worth, from the definition. */
function worth(half: number, exponentBits: number, mantissaBits: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> mantissaBits) & ((1 << exponentBits) - 1);
  const mantissa = (half & ((1 << mantissaBits) - 1)) / 2 ** mantissaBits;
  const bias = 2 ** (exponentBits - 1) - 1;
  if (exponent === 2 ** exponentBits - 1)
    return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? mantissa * 2 ** (1 - bias) : (1 + mantissa) * 2 ** (exponent - bias));
}

const formats = [
  { name: 'f16', exponent: 5, mantissa: 10, widen: f16ToF32, narrow: f32ToF16, infinity: 0x7c00 },
  { name: 'bf16', exponent: 8, mantissa: 7, widen: bf16ToF32, narrow: f32ToBf16, infinity: 0x7f80 },
];

describe.each(formats)('$name', ({ exponent, mantissa, widen, narrow, infinity }) => {
  it('widens every value exactly', () => {
    const wide = widen(ALL);
    for (const half of ALL) {
      const expected = worth(half, exponent, mantissa);
      if (!Object.is(wide[half], expected)) expect([half, wide[half]]).toEqual([half, expected]);
    }
  });

  it('returns every value to the same bits, NaN payloads included (made quiet)', () => {
    const back = narrow(widen(ALL));
    const quiet = 1 << (mantissa - 1);
    for (const half of ALL) {
      const expected = (half & 0x7fff) > infinity ? half | quiet : half;
      if (back[half] !== expected) expect([half, back[half]]).toEqual([half, expected]);
    }
  });

  /** The neighbour that round-to-nearest-even takes, by float64 arithmetic. */
  function nearest(value: number): number {
    const sign = Object.is(value, -0) || value < 0 ? 0x8000 : 0;
    const magnitude = Math.abs(value);
    let low = 0;
    for (let high = infinity; high - low > 1; ) {
      const middle = (low + high) >>> 1;
      if (worth(middle, exponent, mantissa) <= magnitude) low = middle;
      else high = middle;
    }
    // Infinity stands where the next finite value would.
    const top = low + 1 === infinity ? 2 ** (2 ** (exponent - 1)) : worth(low + 1, exponent, mantissa);
    const below = magnitude - worth(low, exponent, mantissa);
    const above = top - magnitude;
    return sign | (above < below || (above === below && (low & 1) === 1) ? low + 1 : low);
  }

  it('narrows to nearest, ties to even, at and around every midpoint', () => {
    const samples: number[] = [];
    for (let half = 0; half < infinity; half += exponent === 5 ? 1 : 7) {
      const [low, high] = [worth(half, exponent, mantissa), worth(half + 1, exponent, mantissa)];
      const middle = Math.fround(half + 1 === infinity ? low : (low + high) / 2);
      const [word] = bits(Float32Array.of(middle));
      samples.push(...fromBits(word, word + 1, Math.max(0, word - 1)));
    }
    const values = Float32Array.from([...samples, ...samples.map((value) => -value)]);
    const narrowed = narrow(values);
    for (const [i, value] of values.entries()) {
      if (narrowed[i] !== nearest(value)) expect([value, narrowed[i]]).toEqual([value, nearest(value)]);
    }
  });

  it('narrows any f32', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (word) => {
        const value = fromBits(word);
        const [half] = narrow(value);
        if (Number.isNaN(value[0])) {
          expect(half & 0x7fff).toBeGreaterThan(infinity);
          expect(half >>> 15).toBe(word >>> 31);
        } else {
          const sign = value[0] < 0 ? 0x8000 : 0;
          expect(half).toBe(Number.isFinite(value[0]) ? nearest(value[0]) : sign | infinity);
        }
      }),
      { numRuns: 5000 },
    );
  });

  it('keeps NaN whose payload is cut off', () => {
    expect(widen(narrow(fromBits(0x7f800001, 0xff800001))).every(Number.isNaN)).toBe(true);
  });

  it('writes into an array of the right length only', () => {
    const out = new Uint16Array(2);
    expect(narrow(Float32Array.of(1, 2), out)).toBe(out);
    expect(() => narrow(new Float32Array(3), out)).toThrow(RangeError);
    expect(() => widen(out, new Float32Array(1))).toThrow(RangeError);
  });
});

it('overflows f16 at 65520 and not before', () => {
  expect([...f32ToF16(Float32Array.of(65504, 65519.996, 65520, -65520))]).toEqual([
    0x7bff, 0x7bff, 0x7c00, 0xfc00,
  ]);
});

it('goes between file bytes and f32 for every float dtype', () => {
  const values = Float32Array.of(0, -0, 1.5, -2, Number.POSITIVE_INFINITY);
  for (const dtype of ['BF16', 'F16', 'F32', 'F64'] as const) {
    const bytes = fromF32(values, dtype);
    expect(bytes.length).toBe(values.length * dtypeBytes(dtype));
    expect(toF32(bytes, dtype)).toEqual(values);
    // As part of a larger, odd-aligned buffer.
    const odd = new Uint8Array(bytes.length + 1);
    odd.set(bytes, 1);
    expect(toF32(odd.subarray(1), dtype)).toEqual(values);
  }
});

it('views bytes as typed arrays without a copy where it can', () => {
  const bytes = new Uint8Array(16);
  for (const dtype of DTYPES) {
    const view = viewAs(bytes, dtype);
    expect(view.buffer).toBe(bytes.buffer);
    expect(view.byteLength).toBe(16);
    expect(asBytes(view)).toEqual(bytes);
  }
  expect(viewAs(bytes, 'I64')).toBeInstanceOf(BigInt64Array);
  expect(viewAs(bytes.subarray(1, 9), 'F64')).toEqual(Float64Array.of(0));
  expect(() => viewAs(bytes.subarray(0, 6), 'F32')).toThrow(RangeError);
});

it('knows dtypes and counts elements', () => {
  expect(isDtype('BF16')).toBe(true);
  for (const name of ['bf16', 'toString', '', 3, null]) expect(isDtype(name)).toBe(false);
  expect(elementCount([])).toBe(1);
  expect(elementCount([3, 0, 5])).toBe(0);
  expect(elementCount([2 ** 30, 2 ** 30])).toBeUndefined();
});
