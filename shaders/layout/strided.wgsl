// Permutations that keep runs of elements together, and everything for which the transpositions are too special: y, of
// sizes d0..d3 and width (slowest first), takes its element at (i0..i4) from x[i0 * s0 + .. + i4 * s4]. Elements are 32-bit
// words (a pair of 16-bit elements is one), or four of them with VEC4; sizes and strides are counted in those. RANK says
// how many of the five axes are used; the others, in front, are 1.
#define RANK 1..5 // how many of the five axes are used

struct Params {
  size: u32,
  d1: u32, d2: u32, d3: u32, width: u32,
  s0: u32, s1: u32, s2: u32, s3: u32, s4: u32,
}
#params Params

#include "layout/word.wgsl"

var<storage, read> x: array<Word>;
var<storage, read_write> y: array<Word>;

#include "elementwise/walk-rows.wgsl"

fn element(r3: u32, i4: u32) {
  let i3 = r3 % params.d3;
  let i2 = r3 / params.d3;
#if RANK > 3
  let r1 = i2 / params.d2;
  let start = r1 / params.d1 * params.s0 + r1 % params.d1 * params.s1 + i2 % params.d2 * params.s2;
#else
  let start = i2 * params.s2;
#endif
  y[r3 * params.width + i4] = x[start + i3 * params.s3 + i4 * params.s4];
}
