// Permutations that keep runs of elements together, and everything for which transpose.wgsl is too special:
// y, of sizes d0..d4 (slowest first), takes its element at (i0..i4) from x[i0 * s0 + .. + i4 * s4]. Elements are 32-bit words (a pair of 16-bit elements is one), or four of them with VEC4;
// sizes and strides are counted in those.
#include "common/grid.wgsl"

struct Params {
  size: u32,
  d1: u32, d2: u32, d3: u32, d4: u32,
  s0: u32, s1: u32, s2: u32, s3: u32, s4: u32,
}
#params Params

#include "layout/word.wgsl"

@group(0) @binding(0) var<storage, read> x: array<Word>;
@group(0) @binding(1) var<storage, read_write> y: array<Word>;

#include "elementwise/walk.wgsl"

fn element(at: u32) {
  let i4 = at % params.d4;
  let r3 = at / params.d4;
  let i3 = r3 % params.d3;
  let r2 = r3 / params.d3;
  let i2 = r2 % params.d2;
  let r1 = r2 / params.d2;
  let i1 = r1 % params.d1;
  let i0 = r1 / params.d1;
  y[at] = x[i0 * params.s0 + i1 * params.s1 + i2 * params.s2 + i3 * params.s3 + i4 * params.s4];
}
