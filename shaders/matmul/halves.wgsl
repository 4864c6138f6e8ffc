// What matmul/prepare.wgsl and matmul/prepare-transposed.wgsl share: numbers as matrix units take them, in the order in which
// matmul/subgroup-matrix.wgsl stages them.
//
// A prepared operand has its elements along K side by side, whichever way it was stored: rows[z][row][k / DEPTH][part][k %
// DEPTH], DEPTH steps of K being 64 bytes, with zeros up to a multiple of DEPTH. A unit is 16 bytes of that, eight f16 numbers
// or four f32.
//
// f16's range is small: gradients lie below it and a few activations above. So a row is multiplied by a power of two that
// brings its largest magnitude to [2^14, 2^15), and `scales` gets the inverse, by which sums are multiplied. What is 2^39
// times smaller becomes 0. Infinities become the ends of the range (they would poison whole rows), NaN stays NaN.
//
// With PARTS 2 an element is the sum of two f16 numbers, its upper 11 bits and the next 11. As f32 there are no parts and no
// scales.
#define COMPONENT "f16" | "f32" // what matrix units multiply
#define PARTS 1 | 2             // f16 numbers that make up an element
#if COMPONENT == "f16"
enable f16;
#endif
#include "common/weight.wgsl"

struct Params { rows: u32, K: u32, padded: u32, ld: u32, stride: u32, base: u32, count: u32 }
#params Params

var<storage, read> source: array<Stored>;
var<storage, read_write> units: array<vec4u>;
#if COMPONENT == "f16"
var<storage, read_write> scales: array<f32>;
#endif

#if COMPONENT == "f16"
const UNIT = 8u;
#else
const UNIT = 4u;
#endif
const DEPTH = 4u * UNIT;

fn load(at: u32) -> Loaded {
  return decode(source[storedAt(at)], at);
}

#if COMPONENT == "f16"
// The exponent (as bits of an f32) of the power of two for a row whose largest magnitude has these bits; within bounds in which
// its inverse is a normal number too.
fn exponentFor(largest: u32) -> u32 {
  return clamp(268u - (largest >> 23u), 14u, 240u);
}

// Bits of the magnitude of a finite number, else 0.
fn magnitude(x: f32) -> u32 {
  let size = bitcast<u32>(x) & 0x7fffffffu;
  return select(size, 0u, size >= 0x7f800000u);
}

fn pairs(x: vec4f) -> vec2u {
  return vec2u(bitcast<u32>(vec2h(x.xy)), bitcast<u32>(vec2h(x.zw)));
}

fn isNan(x: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(x) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
}

fn bounded(x: vec4f) -> vec4f {
  return clamp(x, vec4f(-65504.0), vec4f(65504.0));
}

// Cut by hand: compilers may take f32(f16(x)) for x.
fn upper(x: vec4f) -> vec4f {
  return bitcast<vec4f>(bitcast<vec4u>(bounded(x)) & vec4u(0xffffe000u));
}
#endif

// Stores elements k .. k + UNIT - 1 of a row (counted over all matrices), scaled; eight f16 numbers or the first four.
fn storeUnit(row: u32, k: u32, first: vec4f, second: vec4f) {
  let at = (row * params.padded + k / DEPTH * DEPTH) / UNIT * ${PARTS}u + k % DEPTH / UNIT;
#if COMPONENT == "f32"
  units[at] = bitcast<vec4u>(first);
#elif PARTS == 2
  let uppers = array(upper(first), upper(second));
  units[at] = vec4u(
    pairs(select(uppers[0], first, isNan(first))),
    pairs(select(uppers[1], second, isNan(second))),
  );
  units[at + 4u] = vec4u(pairs(bounded(first) - uppers[0]), pairs(bounded(second) - uppers[1]));
#else
  units[at] = vec4u(
    pairs(select(bounded(first), first, isNan(first))),
    pairs(select(bounded(second), second, isNan(second))),
  );
#endif
}
