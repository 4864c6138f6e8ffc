// An operand of a product on matrix units whose rows lie across K (A as K x M, B as K x N), transposed and prepared as
// matmul/halves.wgsl says. All rows share a scale: the largest of `magnitudes` (matmul/magnitude.wgsl) gives it or, of 16-bit
// weights, FIXED: bf16 is multiplied by 2^6, which puts 1e-6 .. 1023 into the range where f16 holds it exactly (some units drop
// the numbers below it), and f16 by 1.
//
// A workgroup turns 32 steps of K of 64 rows in workgroup memory.
#define FIXED // weights in 16 bits, which need no look at them
#include "matmul/halves.wgsl"

#if !FIXED && COMPONENT == "f16"
var<storage, read> magnitudes: array<u32>;
var<workgroup> largest: atomic<u32>;
#endif

const THREADS = 256u;
const TURNED = 32u;
const ROWS = 64u;
// A row more against bank conflicts.
var<workgroup> turned: array<f32, TURNED * (ROWS + 1u)>;

// Elements row .. row + 3 of step k, which starts at `at`; what lies past the last row is never used.
fn fourRows(at: u32, row: u32) -> vec4f {
  let last = params.rows - 1u;
#if WIDTH == 4
  return load((at + min(row, last)) >> 2u);
#else
  return vec4f(
    load(at + min(row, last)),
    load(at + min(row + 1u, last)),
    load(at + min(row + 2u, last)),
    load(at + min(row + 3u, last)),
  );
#endif
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
  prepareDecoder(thread);
#if COMPONENT == "f32"
  let up = 1.0;
#else
#if FIXED
  let exponent = ${127 + 6 * (FORMAT == "bf16")}u;
#else
  var own = 0u;
  for (var i = thread; i < arrayLength(&magnitudes); i += THREADS) { own = max(own, magnitudes[i]); }
  atomicMax(&largest, own);
  workgroupBarrier();
  let exponent = exponentFor(atomicLoad(&largest));
#endif
  let up = bitcast<f32>(exponent << 23u);
#endif
  let row0 = group.y * ROWS;
  let k0 = group.x * TURNED;
#for q in 0..2
  {
    let place = thread + ${q}u * THREADS;
    let k = k0 + place / (ROWS / 4u);
    let row = place % (ROWS / 4u) * 4u;
    let at = params.base + group.z * params.stride + min(k, params.K - 1u) * params.ld;
    let values = select(vec4f(), up * fourRows(at, row0 + row), k < params.K);
    let to = place / (ROWS / 4u) * (ROWS + 1u) + row;
#for i in 0..4
    turned[to + ${i}u] = values[${i}];
#endfor
  }
#endfor
  workgroupBarrier();
  const ROW_UNITS = TURNED / UNIT;
  for (var place = thread; place < ROWS * ROW_UNITS; place += THREADS) {
    let row = place / ROW_UNITS;
    let k = place % ROW_UNITS * UNIT;
    if ((row0 + row < params.rows) & (k0 + k < params.padded)) {
      let first = k * (ROWS + 1u) + row;
      storeUnit(group.z * params.rows + row0 + row, k0 + k, fourSteps(first), fourSteps(first + 4u * (ROWS + 1u)));
    }
  }
#if COMPONENT == "f16"
  if (group.x == 0u && thread < ROWS && row0 + thread < params.rows) {
    scales[group.z * params.rows + row0 + thread] = bitcast<f32>((254u - exponent) << 23u);
  }
#endif
}

// Four steps of K from one on, of the row that `first` is in.
fn fourSteps(first: u32) -> vec4f {
  return vec4f(
    turned[first],
    turned[first + (ROWS + 1u)],
    turned[first + 2u * (ROWS + 1u)],
    turned[first + 3u * (ROWS + 1u)],
  );
}
