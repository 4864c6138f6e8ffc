// Products of tiles in workgroup memory, shared by the tile-*.wgsl kernels (hardware GPUs).
//
// A workgroup of 128 = 8 x 16 invocations owns OWN = 8 * RT rows (queries, or keys in the backward pass of keys) and
// meets SEEN = 64 rows of the other side at a time. Invocation (ty, tx) holds the RT x 4 scores of own rows ty + 8 i with
// seen rows 4 tx .. 4 tx + 3, and of each result row the vec4 columns tx + 16 n, n < CN.
//
// The including kernel defines where rows come from, as functions of a constant `which`:
//   fn ownRow(which: u32, row: u32, column: u32) -> vec4f     row < OWN; column < D4
//   fn seenRow(which: u32, row: u32, column: u32) -> vec4f    row < SEEN
// Both sides are staged 4 vec4 columns at a time, so that workgroup memory stays small whatever the head dimension: what is
// staged twice comes from the cache. Rows are padded to 5 vec4 and seen rows stored in the order 0, 4, 8, ..., 1, 5, ...:
// then the 16 invocations that read 16 different rows hit different banks.
#define D4 1..64         // head dimension / 4
#define CN 1..4          // vec4 columns of a result row per invocation: D4 / 16, rounded up
#define RT 1 | 2 | 4 | 8 // own rows per invocation
#define DEPTH 8 | 16     // seen rows staged at a time by accumulate
#define STAGE 1..        // vec4s of the stage, enough for products and accumulate

const OWN = ${8 * RT}u;
const SEEN = 64u;
const D4 = ${D4}u;

var<workgroup> stage: array<vec4f, ${STAGE}>;
// Row-major [OWN][SEEN / 4].
var<workgroup> weights: array<vec4f, ${8 * RT * 16}>;

// own row . seen row for the invocation's RT x 4 pairs.
fn products(which: u32, lane: u32) -> array<vec4f, ${RT}> {
  let tx = lane & 15u;
  let ty = lane >> 4u;
  var sums: array<vec4f, ${RT}>;
  for (var column = 0u; column < D4; column += 4u) {
    workgroupBarrier();
    for (var e = lane; e < OWN * 4u; e += 128u) {
      let c = column + (e & 3u);
      stage[(e >> 2u) * 5u + (e & 3u)] = select(vec4f(), ownRow(which, e >> 2u, min(c, D4 - 1u)), c < D4);
    }
    for (var e = lane; e < SEEN * 4u; e += 128u) {
      let c = column + (e & 3u);
      let slot = ((e >> 2u) & 3u) * 16u + (e >> 4u);
      stage[(OWN + slot) * 5u + (e & 3u)] = select(vec4f(), seenRow(which, e >> 2u, min(c, D4 - 1u)), c < D4);
    }
    workgroupBarrier();
#for c in 0..4
    {
#for j in 0..4
      let s${j} = stage[(OWN + ${j * 16}u + tx) * 5u + ${c}u];
#endfor
#for i in 0..RT
      let o${i} = stage[(ty + ${i * 8}u) * 5u + ${c}u];
      sums[${i}] += vec4f(dot(o${i}, s0), dot(o${i}, s1), dot(o${i}, s2), dot(o${i}, s3));
#endfor
    }
#endfor
  }
  return sums;
}

// sums[i * CN + n] += weights (RT rows x SEEN) times seen rows. The caller has written `weights` without a barrier.
fn accumulate(which: u32, lane: u32, sums: ptr<function, array<vec4f, ${RT * CN}>>) {
  let tx = lane & 15u;
  let ty = lane >> 4u;
  for (var first = 0u; first < SEEN; first += ${DEPTH}u) {
    workgroupBarrier();
    for (var e = lane; e < ${DEPTH}u * D4; e += 128u) { stage[e] = seenRow(which, first + e / D4, e % D4); }
    workgroupBarrier();
    for (var row = 0u; row < ${DEPTH}u; row += 4u) {
#for i in 0..RT
      let w${i} = weights[(ty + ${i * 8}u) * 16u + (first + row) / 4u];
#endfor
#for n in 0..CN
      {
        let column = min(tx + ${n * 16}u, D4 - 1u);
#for j in 0..4
        let x${j} = stage[(row + ${j}u) * D4 + column];
#endfor
#for i in 0..RT
        (*sums)[${i * CN + n}] += w${i}.x * x0 + w${i}.y * x1 + w${i}.z * x2 + w${i}.w * x3;
#endfor
      }
#endfor
    }
  }
}
